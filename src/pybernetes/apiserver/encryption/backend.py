"""The store as the server sees it: plain values over a backend that holds encrypted ones."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from pybernetes.api import scheme
from pybernetes.api.scheme import storage_prefix
from pybernetes.apiserver.cacher.cacher import split_key
from pybernetes.apiserver.encryption.config import Encryption
from pybernetes.apiserver.encryption.providers import Chain, TransformError
from pybernetes.store.backend import Backend, CorruptError, Event, KeyValue, Page, Watcher, Written

log = logging.getLogger(__name__)


class EncryptedBackend:
    """A `Backend`. A value that no key reads stops the server's start; later it is left out, and told.

    `unread` says whether something was left out, so that it is to be read again with other keys.
    """

    def __init__(self, backend: Backend, encryption: Encryption) -> None:
        self._backend = backend
        self._encryption = encryption
        self._chains: dict[str, Chain | None] = {}
        self._names = {storage_prefix(one): (one.group, one.plural) for one in scheme.resources()}
        self.strict = True
        self.unread = False

    def use(self, encryption: Encryption) -> None:
        """Other keys from now on."""
        self._encryption = encryption
        self._chains.clear()

    async def is_stale(self, key: bytes) -> bool:
        """Whether the stored value is not as it would be stored now."""
        chain = self._chain(key)
        if chain is None:
            return False
        found, _ = await self._backend.get(key)
        return found is not None and chain.is_stale(found.value)

    def _chain(self, key: bytes) -> Chain | None:
        """How the value of a key is stored; None for as it is."""
        prefix = split_key(key)[0]
        if prefix not in self._chains:
            group, _, plural = prefix.rpartition("/")
            self._chains[prefix] = self._encryption.chain(*self._names.get(prefix, (group, plural)))
        return self._chains[prefix]

    def _write(self, key: bytes, value: bytes) -> bytes:
        chain = self._chain(key)
        return value if chain is None else chain.write(value, key)

    def _read(self, key: bytes, value: bytes) -> bytes | None:
        """None for what no key reads, if that is not fatal. Raises CorruptError."""
        chain = self._chain(key)
        if chain is None:
            return value
        try:
            return chain.read(value, key)
        except TransformError as error:
            words = f'unable to transform key "{key.decode()}": {error}'
            if self.strict:
                raise CorruptError(words) from error
            self.unread = True
            log.error("%s", words)
            return None

    def _pair(self, pair: KeyValue) -> KeyValue | None:
        value = self._read(pair.key, pair.value)
        return None if value is None else replace(pair, value=value)

    def _event(self, event: Event) -> Event:
        """What cannot be read is empty: the caches take it for no object."""
        return event if event.value is None else replace(event, value=self._read(event.key, event.value) or b"")

    # Backend.

    @property
    def shared(self) -> bool:
        return self._backend.shared

    async def get(self, key: bytes, revision: int = 0) -> tuple[KeyValue | None, int]:
        found, now = await self._backend.get(key, revision)
        return (None if found is None else self._pair(found)), now

    async def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Page:
        page = await self._backend.range(prefix, start=start, limit=limit, revision=revision)
        return replace(page, items=[read for pair in page.items if (read := self._pair(pair)) is not None])

    async def count(self, prefix: bytes) -> int:
        return await self._backend.count(prefix)

    async def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Written:
        return self._written(await self._backend.create(key, self._write(key, value), ttl=ttl))

    async def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Written:
        return self._written(await self._backend.update(key, self._write(key, value), expected, ttl=ttl))

    async def delete(self, key: bytes, expected: int = 0) -> Written:
        return self._written(await self._backend.delete(key, expected))

    def _written(self, written: Written) -> Written:
        return written if written.current is None else replace(written, current=self._pair(written.current))

    def watch(self, prefix: bytes, after: int) -> AbstractAsyncContextManager[Watcher]:
        return _watch(self._backend, prefix, after, self._event)

    async def current_revision(self) -> int:
        return await self._backend.current_revision()

    async def compact(self, revision: int) -> None:
        await self._backend.compact(revision)

    async def close(self) -> None:
        await self._backend.close()


@asynccontextmanager
async def _watch(backend: Backend, prefix: bytes, after: int, read: Callable[[Event], Event]) -> AsyncIterator[Watcher]:
    async with backend.watch(prefix, after) as watcher:
        yield _Read(watcher, read)


class _Read:
    def __init__(self, watcher: Watcher, read: Callable[[Event], Event]) -> None:
        self._watcher = watcher
        self._read = read

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        async for batch in self._watcher:
            yield [self._read(event) for event in batch]

    @property
    def revision(self) -> int:
        return self._watcher.revision

    async def ask_progress(self) -> None:
        await self._watcher.ask_progress()
