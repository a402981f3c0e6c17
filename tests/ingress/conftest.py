from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The cluster runs on uvloop, whose transports differ from asyncio's in what they tell, and when."""
    return {"uvloop": uvloop.new_event_loop}
