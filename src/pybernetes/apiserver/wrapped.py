"""Backends around backends: what is not said otherwise is passed on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from msgspec.structs import replace

from pybernetes.store.backend import Backend, Event, KeyValue, Page, Watcher, Written


class WrappedBackend:
    """A `Backend` that does what the one inside does."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    @property
    def shared(self) -> bool:
        return self.inner.shared

    async def get(self, key: bytes, revision: int = 0) -> tuple[KeyValue | None, int]:
        return await self.inner.get(key, revision)

    async def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Page:
        return await self.inner.range(prefix, start=start, limit=limit, revision=revision)

    async def count(self, prefix: bytes) -> int:
        return await self.inner.count(prefix)

    async def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Written:
        return await self.inner.create(key, value, ttl=ttl)

    async def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Written:
        return await self.inner.update(key, value, expected, ttl=ttl)

    async def delete(self, key: bytes, expected: int = 0) -> Written:
        return await self.inner.delete(key, expected)

    def watch(self, prefix: bytes, after: int) -> AbstractAsyncContextManager[Watcher]:
        return self.inner.watch(prefix, after)

    async def size(self) -> int:
        return await self.inner.size()

    async def current_revision(self) -> int:
        return await self.inner.current_revision()

    async def compact(self, revision: int) -> None:
        await self.inner.compact(revision)

    async def close(self) -> None:
        await self.inner.close()


class TranslatedBackend(WrappedBackend):
    """A `Backend` whose values are others than those of the one inside: `_read` and `_write` say which."""

    def _read(self, key: bytes, value: bytes) -> bytes | None:
        """The value of what is stored; None for what is to be left out. Raises StoreError."""
        return value

    def _write(self, key: bytes, value: bytes) -> bytes:
        """What is stored of the value."""
        return value

    async def _prepare(self, stored: Sequence[tuple[bytes, bytes]]) -> None:
        """Wait for what `_read` needs for these pairs of key and value. Raises StoreError."""

    async def _pair(self, pair: KeyValue | None) -> KeyValue | None:
        if pair is None:
            return None
        await self._prepare([(pair.key, pair.value)])
        value = self._read(pair.key, pair.value)
        return None if value is None else replace(pair, value=value)

    async def get(self, key: bytes, revision: int = 0) -> tuple[KeyValue | None, int]:
        found, now = await self.inner.get(key, revision)
        return await self._pair(found), now

    async def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Page:
        page = await self.inner.range(prefix, start=start, limit=limit, revision=revision)
        await self._prepare([(pair.key, pair.value) for pair in page.items])
        read = [(pair, self._read(pair.key, pair.value)) for pair in page.items]
        return replace(page, items=[replace(pair, value=value) for pair, value in read if value is not None])

    async def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Written:
        return await self._written(await self.inner.create(key, self._write(key, value), ttl=ttl))

    async def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Written:
        return await self._written(await self.inner.update(key, self._write(key, value), expected, ttl=ttl))

    async def delete(self, key: bytes, expected: int = 0) -> Written:
        return await self._written(await self.inner.delete(key, expected))

    async def _written(self, written: Written) -> Written:
        return written if written.current is None else replace(written, current=await self._pair(written.current))

    @asynccontextmanager
    async def watch(self, prefix: bytes, after: int) -> AsyncIterator[Watcher]:
        async with self.inner.watch(prefix, after) as watcher:
            yield _Translated(watcher, self)

    async def _events(self, batch: list[Event]) -> list[Event]:
        """What cannot be read is empty: the caches take it for no object."""
        await self._prepare([(event.key, event.value) for event in batch if event.value is not None])
        return [
            event if event.value is None else replace(event, value=self._read(event.key, event.value) or b"")
            for event in batch
        ]


class _Translated:
    def __init__(self, watcher: Watcher, backend: TranslatedBackend) -> None:
        self._watcher = watcher
        self._backend = backend

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        async for batch in self._watcher:
            yield await self._backend._events(batch)

    @property
    def revision(self) -> int:
        return self._watcher.revision

    async def ask_progress(self) -> None:
        await self._watcher.ask_progress()
