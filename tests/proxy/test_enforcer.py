"""The loop around policies: when pods are watched, when there is a table, what a restart leaves alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext
from typing import Any, cast

import msgspec
import pytest

from pybernetes.aio.clock import SystemClock
from pybernetes.api.types import networking_v1 as networking
from pybernetes.client.informer import Informer, Informers
from pybernetes.client.rest import Client
from pybernetes.proxy.backends.nftables.pieces import Pieces
from pybernetes.proxy.policies import enforcer as module
from pybernetes.proxy.policies.enforcer import Enforcer


class Table:
    """A backend that remembers what was asked of it, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.failures = 0
        self._changed = threading.Event()

    def sync(self, changed: Mapping[str, Pieces | None], *, whole: bool = False) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no")
        self.said.append("all" if whole else "changes")

    def remove(self) -> None:
        self.said.append("nothing")

    def is_intact(self) -> bool:
        return True


class FakeInformers(Informers):
    """Informers that tests fill by hand; those made later are complete and empty at once."""

    opened = 0

    def __init__(self, client: Client, clock: object = None) -> None:
        super().__init__(client)
        FakeInformers.opened += 1

    def of(self, kind: Any, namespace: str = "", **selectors: str) -> Any:
        informer: Informer[Any] = super().of(kind, namespace, **selectors)
        if not informer.synced.is_set() and self.client is LATER:
            informer.replace([], "1")
        return informer

    def running(self) -> Any:
        return nullcontext()


LATER = cast(Client, object())


@pytest.fixture
async def table(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Table, Informer[networking.NetworkPolicy]]]:
    monkeypatch.setattr(module, "Informers", FakeInformers)
    table, informers = Table(), Informers(LATER)
    policies = informers.of(networking.NetworkPolicy)
    enforcer = Enforcer(informers, table, "n1", SystemClock())
    task = asyncio.create_task(enforcer.run(3600))
    yield table, policies
    task.cancel()
    await asyncio.wait([task])


def policy(name: str, version: str = "2") -> networking.NetworkPolicy:
    tree = {"metadata": {"name": name, "namespace": "one", "uid": name, "resourceVersion": version}, "spec": {}}
    return msgspec.convert(tree, networking.NetworkPolicy)


async def said(table: Table, *words: str) -> None:
    async with asyncio.timeout(10):
        while table.said != list(words):
            await asyncio.sleep(0.01)


async def test_there_is_a_table_while_there_is_a_policy(
    table: tuple[Table, Informer[networking.NetworkPolicy]],
) -> None:
    backend, policies = table
    before = FakeInformers.opened
    policies.replace([], "1")
    await said(backend, "nothing")
    assert FakeInformers.opened == before, "nobody watches pods for nothing"
    policies.replace([policy("a")], "2")
    await said(backend, "nothing", "all")
    policies.replace([], "3")
    await said(backend, "nothing", "all", "nothing")


async def test_a_restart_opens_nothing(table: tuple[Table, Informer[networking.NetworkPolicy]]) -> None:
    """What an earlier run has left holds until it is replaced; what cannot be written is tried again as a whole."""
    backend, policies = table
    backend.failures = 1
    policies.replace([policy("a")], "2")
    await said(backend, "all")
