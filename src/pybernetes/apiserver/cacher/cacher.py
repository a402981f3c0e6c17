"""All caches of the server, fed by one watch of the whole store: so that they all stand at the same revision."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.cacher.item import Item, is_object
from pybernetes.store.backend import Backend, CompactedError, Event, StoreError, UnavailableError, Watcher

log = logging.getLogger(__name__)

ROOT: Final = b"/registry/"
WAITS: Final = (0.02, 0.2, 0.8, 1.0, 1.0)
"""Seconds, after each of which the watch, which may be another one by then, is asked how far it is."""
_TWO_SEGMENTS: Final = frozenset(("services",))


def split_key(key: bytes) -> tuple[str, str]:
    """A store key's resource part and object part: "/registry/services/specs/a/b" -> ("services/specs", "a/b")."""
    first, _, rest = key[len(ROOT) :].decode(errors="replace").partition("/")
    if first in _TWO_SEGMENTS or "." in first:
        second, _, rest = rest.partition("/")
        first = f"{first}/{second}"
    return first, rest


class Cacher:
    """Reads are consistent: a write is acknowledged after `wait` has seen its revision arrive here."""

    def __init__(self, backend: Backend, clock: Clock, *, window: int) -> None:
        self._backend = backend
        self._clock = clock
        self._window = window
        self._caches: dict[str, Cache] = {}
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._watcher: Watcher | None = None
        self._scope: Scope | None = None
        self._asking = False
        self._asked: asyncio.Future[int] | None = None
        """Whose answer is asked for once the one under way is there: that one may be older than they are."""
        self.written: dict[bytes, dict[str, Any]] = {}
        """What values under way to the store were made of: who writes puts it here, and takes it away in the end."""
        self.revision = 0
        """Every write up to this one is in the caches."""

    def cache(self, prefix: str) -> Cache:
        """The cache of the objects under `/registry/<prefix>/`."""
        found = self._caches.get(prefix)
        if found is None:
            found = self._caches[prefix] = self.new_cache(self.revision)
        return found

    def new_cache(self, since: int) -> Cache:
        """A cache that others fill, with changes since that revision."""
        return Cache(since, self._window)

    async def start(self, scope: Scope) -> None:
        """Load everything, then follow the store for as long as the scope lives."""
        self._scope = scope
        await self._load()
        scope.spawn(self._follow(), "cacher")

    async def reload(self) -> None:
        """Read everything anew: what could not be read before may be readable now. Watches end."""
        await self._load()

    async def _load(self) -> None:
        page = await self._backend.range(ROOT)
        loaded: dict[str, list[Item]] = {}
        for pair in page.items:
            prefix, key = split_key(pair.key)
            if is_object(pair.value):
                loaded.setdefault(prefix, []).append(Item(key, pair.value, pair.revision, pair.create_revision))
        self.revision = page.revision
        for prefix in self._caches.keys() | loaded.keys():
            self._replace(prefix, loaded.get(prefix, []))
        self._wake()

    def _replace(self, prefix: str, items: list[Item]) -> None:
        """Take a full list: the first one, or after changes were missed; those watching must list again."""
        cache = self._caches.get(prefix)
        if cache is None:
            cache = self._caches[prefix] = Cache(self.revision, self._window)
            cache.load(items)
            return
        cache.reset(items, self.revision)

    async def _follow(self) -> None:
        is_behind = False
        while True:
            try:
                if is_behind:
                    await self._load()
                    is_behind = False
                async with self._backend.watch(ROOT, self.revision) as watcher:
                    self._watcher = watcher
                    async for batch in watcher:
                        self._apply(batch, watcher.revision)
            except CompactedError:
                log.warning("watch of the store fell behind revision=%d", self.revision)
                is_behind = True
            except StoreError as error:
                log.warning("watch of the store failed error=%s", error)
            self._watcher = None
            await self._clock.sleep(0.1)

    def _apply(self, batch: list[Event], revision: int) -> None:
        for event in batch:
            prefix, key = split_key(event.key)
            cache = self.cache(prefix)
            self.revision = event.revision
            if event.value is None:
                cache.remove(key, event.revision)
            elif is_object(event.value):
                written = self.written.pop(event.value, None) if self.written else None
                cache.put(Item(key, event.value, event.revision, event.create_revision, written))
        self.revision = max(self.revision, revision)
        self._wake()

    @property
    def follows(self) -> bool:
        """Whether the store's watch stands."""
        return self._watcher is not None

    async def catch_up(self) -> None:
        """Until the caches hold whatever had been written when this was called, by whomever. Raises StoreError."""
        if not self._backend.shared:
            return
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
        asked = self._asked
        if not self._asking:
            self._ask()
        await self._reach(await asyncio.shield(asked))

    def _ask(self) -> None:
        assert self._scope is not None
        self._asking = True
        asked, self._asked = self._asked, None
        if asked is not None:
            self._scope.spawn(self._answer(asked), "revision")

    async def _answer(self, asked: asyncio.Future[int]) -> None:
        try:
            asked.set_result(await self._backend.current_revision())
        except StoreError as error:
            asked.set_exception(error)
        finally:
            self._asking = False
            if self._asked is not None:
                self._ask()

    async def _reach(self, revision: int) -> None:
        """What is written below our keys arrives by itself; of other writes the watch must be asked."""
        for seconds in WAITS:
            if self.revision >= revision:
                return
            try:
                async with asyncio.timeout(seconds):
                    await self.wait(revision)
            except TimeoutError:
                if self._watcher is not None:
                    await self._watcher.ask_progress()
        if self.revision < revision:
            raise UnavailableError("the watch cache does not catch up with the store")

    async def wait(self, revision: int) -> None:
        """Until the caches have seen this revision."""
        if self.revision >= revision:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((revision, waiter))
        await waiter

    def _wake(self) -> None:
        if not self._waiters:
            return
        still: list[tuple[int, asyncio.Future[None]]] = []
        for revision, waiter in self._waiters:
            if revision > self.revision:
                still.append((revision, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        self._waiters = still
