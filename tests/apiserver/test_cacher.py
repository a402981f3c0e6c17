"""The watch cache goes on whatever the store does, and whatever is in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.cacher.cacher import Cacher
from pybernetes.apiserver.cacher.item import Item
from pybernetes.store.backend import CompactedError, Page, UnavailableError, Watcher
from pybernetes.store.sqlite.backend import SQLiteBackend, open_store

POD = b'{"metadata":{"name":"a"}}'


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteBackend]:
    store = await open_store(tmp_path / "store.db")
    yield store
    await store.close()


class Failing:
    """The store, whose watch falls behind once, and which then cannot be read at first."""

    def __init__(self, store: SQLiteBackend) -> None:
        self._store = store
        self.watches = self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def range(self, prefix: bytes, **how: Any) -> Page:
        self.reads += 1
        if self.reads == 2:
            raise UnavailableError("away")
        return await self._store.range(prefix, **how)

    @asynccontextmanager
    async def watch(self, prefix: bytes, after: int) -> AsyncIterator[Watcher]:
        self.watches += 1
        if self.watches == 1:
            raise CompactedError(after + 1)
        async with self._store.watch(prefix, after) as watcher:
            yield watcher


@asynccontextmanager
async def caching(store: Any) -> AsyncIterator[Cacher]:
    async with open_scope("test") as scope:
        cacher = Cacher(store, SystemClock(), window=10)
        await cacher.start(scope)
        yield cacher


async def write(store: SQLiteBackend, cacher: Cacher, key: bytes, value: bytes = POD) -> None:
    """Returns once the caches have seen it."""
    written = await store.create(key, value)
    async with asyncio.timeout(10):
        await cacher.wait(written.revision)


async def test_a_store_that_is_away_when_all_has_to_be_read_anew_is_asked_again(store: SQLiteBackend) -> None:
    async with caching(Failing(store)) as cacher:
        await write(store, cacher, b"/registry/pods/default/a")
        assert [item.key for item in cacher.cache("pods").select()] == ["default/a"]


STRANGE = [
    (b"/registry/pods/default/\xff", POD),
    (b"/registry/pods/default/b", b'{"apiVersion":"v1","kind":"Pod"}'),
    (b"/registry/pods", POD),
    (b"/registry/", b""),
]


@pytest.mark.parametrize(("key", "value"), STRANGE)
async def test_what_somebody_else_has_put_into_the_store_hides_nothing(
    store: SQLiteBackend, key: bytes, value: bytes
) -> None:
    async with caching(store) as cacher:
        await write(store, cacher, key, value)
        await write(store, cacher, b"/registry/pods/default/c")
        assert "default/c" in {item.key for item in cacher.cache("pods").select()}
        await store.delete(key)
        await write(store, cacher, b"/registry/pods/default/d")


@pytest.mark.parametrize(("key", "value"), STRANGE)
async def test_a_server_starts_whatever_is_in_the_store(store: SQLiteBackend, key: bytes, value: bytes) -> None:
    await store.create(key, value)
    await store.create(b"/registry/pods/default/c", POD)
    async with caching(store) as cacher:
        assert "default/c" in {item.key for item in cacher.cache("pods").select()}


def test_a_listener_that_fails_keeps_nobody_from_a_new_list() -> None:
    cache = Cache(1, window=10)
    told: list[str] = []

    def fail(old: Item | None, new: Item | None) -> None:
        raise ZeroDivisionError

    cache.subscribe(fail)
    cache.subscribe(lambda old, new: told.append(new.key if new else ""))
    cache.reset([Item("default/a", POD, 2, 2)], 2)
    assert told == ["default/a"]
