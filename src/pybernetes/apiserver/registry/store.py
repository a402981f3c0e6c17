"""The objects of one kind. Creating, updating and deleting them are modules of their own beside this one.

Objects are trees in the storage version; `strategy` says what is special about the kind. A write ends when the watch
cache has seen it, so whoever reads next sees it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

from msgspec import Struct, field

from pybernetes.api import errors
from pybernetes.api.decode import emptied
from pybernetes.api.errors import StatusError
from pybernetes.api.field import FieldError, quote
from pybernetes.api.names import path_segment
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.api.validation.sent import as_sent
from pybernetes.apiserver.admission import Admission, Attributes, Operation
from pybernetes.apiserver.cacher.cache import Cache, Change
from pybernetes.apiserver.cacher.cacher import Cacher
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.registry import history
from pybernetes.apiserver.registry import metadata as meta
from pybernetes.apiserver.registry.commits import Commits, Encoded
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.resources.strategy import Strategy, Undo
from pybernetes.store.backend import Backend

Make: TypeAlias = Callable[[Item | None], Tree]
"""The object to be stored, made of the one that is (None: there is none); called again after a conflict."""


class Access(Struct):
    """What a store needs of its server."""

    backend: Backend
    cacher: Cacher
    admission: Admission
    is_stale: Callable[[bytes], Awaitable[bool]] | None = None
    """Whether a key's value would be stored otherwise now; None where all are stored as they are."""
    rng: random.Random = field(default_factory=random.Random)


class ObjectStore:
    """See the module."""

    def __init__(
        self,
        resource: Resource,
        strategy: Strategy,
        access: Access,
        *,
        custom: bool = False,
        called: Resource | None = None,
    ) -> None:
        """`called` is what was asked for, where that is not what is stored: messages and rules go by it."""
        self.resource = resource
        self.called = called or resource
        self.strategy = strategy
        self.custom = custom
        self._access = access
        self.commits = Commits(resource, access.backend, access.cacher, custom=custom)
        self.cache: Cache = self.commits.cache

    # Keys and reading.

    def object_key(self, namespace: str, name: str) -> str:
        """The key in the cache."""
        return f"{namespace}/{name}" if namespace else name

    def get(self, namespace: str, name: str) -> Item | None:
        return self.cache.get(f"{namespace}/{name}" if namespace else name)

    @property
    def revision(self) -> int:
        """Everything up to this revision is in the cache."""
        return self._access.cacher.revision

    async def wait(self, revision: int, seconds: float = 3.0) -> bool:
        """Whether the cache reaches the revision in time."""
        if self.revision >= revision:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._access.cacher.wait(revision)
        except TimeoutError:
            return False
        return True

    async def at_revision(self, prefix: str, revision: int, after: str) -> list[Item]:
        """The objects as they were, behind the key `after`. Raises CompactedError, StatusError."""
        return await self.commits.at_revision(prefix, revision, after)

    def changes(self, prefix: str, after: int, upto: int) -> AsyncIterator[list[Change]]:
        """What happened in (after, upto], by the store. Raises CompactedError, StatusError."""
        return history.changes(self, self._access.backend, self.commits.base, prefix, after, upto)

    # What a store of custom resources does in another way: it reads and writes objects of one version, whatever is stored.

    async def settled(self) -> Cache:
        """The objects in the version of this store, up to what is in the cache now. Raises StatusError."""
        return self.cache

    async def read(self, items: list[Item]) -> list[Item]:
        """Stored objects in the version of this store. Raises StatusError."""
        return items

    async def encode(self, tree: Tree) -> Encoded:
        """Raises StatusError."""
        return self.commits.encode(tree)

    def changes_nothing(self, new: Tree, current: Item) -> bool:
        """Whether a write may be left out."""
        if not meta.same_but_managers(new, current.tree):
            return False
        is_as_created = current.revision == current.create_revision
        return not (is_as_created and self.strategy.is_completed(current.tree))

    async def made(self, make: Make, current: Item) -> Tree:
        """What a change makes of an object. Raises StatusError."""
        return make(current)

    async def fetch(self, key: str) -> Item | None:
        """The object as it is in the cache. Raises StatusError."""
        found = self.cache.get(key)
        return None if found is None else (await self.read([found]))[0]

    async def must_get(self, namespace: str, name: str) -> Item:
        """Raises StatusError, for what is not there too."""
        found = await self.fetch(self.object_key(namespace, name))
        if found is None:
            raise self.not_found(name)
        return found

    def not_found(self, name: str) -> StatusError:
        """Of a name that no object can have it is told why."""
        if refused := path_segment(name):
            return errors.bad_request(f"Name parameter invalid: {quote(name)}: {';'.join(refused)}")
        return errors.not_found(self.called.group, self.called.plural, name)

    def conflict(self, name: str, cause: str = errors.OBJECT_MODIFIED) -> StatusError:
        return errors.conflict(self.called.group, self.called.plural, name, cause)

    # What the modules of the verbs are made of.

    @property
    def admission(self) -> Admission:
        return self._access.admission

    @property
    def rng(self) -> random.Random:
        return self._access.rng

    async def seen(self, item: Item) -> Item:
        """A stored object in the version of this store. Raises StatusError."""
        (made,) = await self.read([item])
        return made

    async def is_stale(self, current: Item) -> bool:
        """Whether the object would be stored otherwise now, encrypted by another key say."""
        asked = self._access.is_stale
        return asked is not None and await asked(self.commits.store_key(current.key))

    async def remove(self, ctx: RequestContext, current: Item, last: Tree) -> int:
        """Take an object out of the store if it is still as `current`; the revision of that, or 0.

        `last` is how the object was when it went.
        """
        ctx.must_finish()
        revision = await self.commits.delete(current)
        if revision:
            await self.strategy.after_delete(ctx, last)
        return revision

    async def replace(self, current: Item, new: Tree) -> Item | None:
        """Store a change that passes no hooks (a deletion's mark); None if somebody else was first."""
        item = await self.commits.update(current, await self.encode(new))
        return None if item is None else await self.seen(item)

    async def refresh(self, key: str) -> Item | None:
        """The object as the store has it now."""
        found = await self.commits.refresh(key)
        return None if found is None else await self.seen(found)

    def attributes(
        self, ctx: RequestContext, operation: Operation, namespace: str, options: WriteOptions
    ) -> Attributes:
        return Attributes(ctx, operation, self.resource, namespace, "", options=options.given, dry_run=options.dry_run)

    def refuse_invalid(self, ctx: RequestContext, new: Tree, found: list[FieldError]) -> None:
        if found:
            kind, name = new.get("kind") or self.resource.kind, new["metadata"].get("name", "")
            raise errors.invalid(self.resource.group, kind, name, as_sent(found, ctx.sent))


def without_empty(ctx: RequestContext, new: Tree) -> Tree:
    """What the store keeps of an object with lists that are there and empty: whoever judged it has seen them."""
    if not ctx.has_empty:
        return new
    try:
        return emptied(schema_of(new["apiVersion"], new["kind"]), new)
    except KeyError:
        return new  # a custom resource, which keeps them


async def undone(undo: Undo | None) -> None:
    if undo is not None:
        await undo()
