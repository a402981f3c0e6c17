"""The values of one kind in the store: how they are encoded, written, and waited for."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, NamedTuple

import msgspec

from pybernetes.api import errors
from pybernetes.api.scheme import Resource, storage_prefix
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.cacher.cacher import Cacher
from pybernetes.apiserver.cacher.item import METADATA, Item, stored_head, stored_tree
from pybernetes.store.backend import Backend, FutureRevisionError, UnavailableError, Written

MAX_OBJECT_BYTES: Final = 3 << 19
"""1.5 MiB: what upstream's etcd takes in one request."""
_encoded: Final = msgspec.json.Encoder().encode


class Encoded(NamedTuple):
    """An object as it is stored."""

    value: bytes
    tree: Tree
    """What the value was made of, as an `Item` has it decoded; may share what it holds."""


class Commits:
    """A write ends when the watch cache has seen it. Keys are the cache's; items are as they are stored."""

    def __init__(self, resource: Resource, backend: Backend, cacher: Cacher, *, custom: bool) -> None:
        prefix = storage_prefix(resource)
        self.cache: Cache = cacher.cache(prefix)
        self.base = f"/registry/{prefix}/"
        self._custom = custom
        self._head = METADATA if custom else stored_head(resource.api_version, resource.kind)
        self._backend = backend
        self._cacher = cacher

    def store_key(self, key: str) -> bytes:
        return f"{self.base}{key}".encode()

    def encode(self, tree: Tree) -> Encoded:
        """Raises StatusError for what is too large."""
        stored = stored_tree(tree, keep_type=self._custom)
        value = self._head + _encoded(stored)[len(METADATA) :]
        if len(value) > MAX_OBJECT_BYTES:
            raise errors.request_entity_too_large(f"limit is {MAX_OBJECT_BYTES}")
        return Encoded(value, stored)

    async def create(self, key: str, new: Encoded, *, ttl: int = 0) -> Item | None:
        """None if there is one already. Raises StatusError."""
        written = await self._run(self._backend.create(self.store_key(key), new.value, ttl=ttl), new)
        return await self._written(key, new, written.revision, written.revision) if written.succeeded else None

    async def update(self, current: Item, new: Encoded, *, ttl: int = 0) -> Item | None:
        """None if the stored object is no longer `current`. Raises StatusError."""
        write = self._backend.update(self.store_key(current.key), new.value, current.revision, ttl=ttl)
        written = await self._run(write, new)
        if not written.succeeded:
            return None
        return await self._written(current.key, new, written.revision, current.create_revision)

    async def delete(self, current: Item) -> int:
        """The revision of the deletion; 0 if the stored object is no longer `current`. Raises StatusError."""
        written = await self._run(self._backend.delete(self.store_key(current.key), current.revision))
        if not written.succeeded:
            return 0
        await self._cacher.wait(written.revision)
        return written.revision

    async def refresh(self, key: str) -> Item | None:
        """The object as the store has it now. Raises StoreError."""
        found, revision = await self._backend.get(self.store_key(key))
        await self._cacher.wait(min(revision, found.revision if found else revision))
        return None if found is None else Item(key, found.value, found.revision, found.create_revision)

    async def at_revision(self, prefix: str, revision: int, after: str) -> list[Item]:
        """The objects as they were, behind the key `after`. Raises CompactedError, StatusError."""
        base = self.base
        start = f"{base}{prefix}{after}\0".encode() if after else b""
        try:
            page = await self._backend.range(f"{base}{prefix}".encode(), start=start, revision=revision)
        except FutureRevisionError as error:
            raise errors.bad_request("etcdserver: mvcc: required revision is a future revision") from error
        return [
            Item(pair.key.decode().removeprefix(base), pair.value, pair.revision, pair.create_revision)
            for pair in page.items
        ]

    async def _written(self, key: str, new: Encoded, revision: int, create_revision: int) -> Item:
        """What was written, once the cache has it: the cache's own item, unless somebody wrote again meanwhile."""
        await self._cacher.wait(revision)
        found = self.cache.get(key)
        return (
            found
            if found is not None and found.revision == revision
            else Item(key, new.value, revision, create_revision)
        )

    async def _run(self, write: Awaitable[Written], new: Encoded | None = None) -> Written:
        """A write's outcome. Raises StatusError."""
        written = self._cacher.written
        if new is not None:
            written[new.value] = new.tree
        try:
            return await write
        except UnavailableError as error:
            raise errors.service_unavailable(f"the store cannot be written: {error}") from error
        finally:
            if new is not None:
                written.pop(new.value, None)
