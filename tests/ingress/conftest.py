"""A world of clients and backends around the proxy, on the event loop that the cluster runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop
from tests.ingress.world import World

from pybernetes.aio.tasks import open_scope
from pybernetes.ingress.certificates import Certificates
from pybernetes.ingress.server.doors import Door, Doors
from pybernetes.ingress.server.gate import Gate


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The cluster runs on uvloop, whose transports differ from asyncio's in what they tell, and when."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with open_scope("test") as scope:
        gate = made.gate = Gate(lambda question: made.decide(question), scope)
        tls = Certificates(made.contexts.get).listening()
        doors = Doors(gate, tls, [Door("127.0.0.1", 0, 0, False), Door("127.0.0.1", 0, 0, True)])
        await doors.open()
        made.http, made.https = doors.ports().values()
        try:
            yield made
        finally:
            doors.close()
            await gate.drain(1)
