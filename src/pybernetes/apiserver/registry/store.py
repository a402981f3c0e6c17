"""The objects of one kind: the generic create, update and delete, in upstream's order of steps.

Objects are trees in the storage version; `strategy` says what is special about the kind. A write ends when the watch
cache has seen it, so whoever reads next sees it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias

from msgspec import Struct, field

from pybernetes.api import errors
from pybernetes.api import field as fields
from pybernetes.api.decode import emptied
from pybernetes.api.errors import StatusError
from pybernetes.api.field import FieldError, Path, quote
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.api.validation import validate
from pybernetes.apiserver.admission import Admission, Attributes, Operation
from pybernetes.apiserver.cacher.cache import Cache, Change
from pybernetes.apiserver.cacher.cacher import Cacher
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.registry import history
from pybernetes.apiserver.registry import metadata as meta
from pybernetes.apiserver.registry.commits import Commits, Encoded
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.resources.strategy import Part, Strategy, Undo
from pybernetes.store.backend import Backend

NAME_TRIES: Final = 8

Make: TypeAlias = Callable[[Item | None], Tree]
"""The object to be stored, made of the one that is (None: there is none); called again after a conflict."""
MayCreate: TypeAlias = Callable[[RequestContext], Awaitable[None]]
"""Raises StatusError for who may change objects of the kind, but not create them."""


class Access(Struct):
    """What a store needs of its server."""

    backend: Backend
    cacher: Cacher
    admission: Admission
    is_stale: Callable[[bytes], Awaitable[bool]] | None = None
    """Whether a key's value would be stored otherwise now; None where all are stored as they are."""
    rng: random.Random = field(default_factory=random.Random)


class Update(Struct, frozen=True):
    """One update or patch. `strict` refuses what `make` made without resourceVersion for kinds that demand one."""

    namespace: str
    name: str
    make: Make
    options: WriteOptions
    subresource: str = ""
    part: Part | None = None
    may_create: MayCreate | None = None
    """Without it, what is not there is not made."""
    names_uid: bool = True
    """The uid of what `make` made is whom the client means; of a patch it is a value like any other."""
    admit: bool = True
    """Whether admission is asked."""


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
        self._called = called or resource
        self.strategy = strategy
        self.custom = custom
        self._access = access
        self._commits = Commits(resource, access.backend, access.cacher, custom=custom)
        self.cache: Cache = self._commits.cache

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
        return await self._commits.at_revision(prefix, revision, after)

    def changes(self, prefix: str, after: int, upto: int) -> AsyncIterator[list[Change]]:
        """What happened in (after, upto], by the store. Raises CompactedError, StatusError."""
        return history.changes(self, self._access.backend, self._commits.base, prefix, after, upto)

    # What a store of custom resources does in another way: it reads and writes objects of one version, whatever is stored.

    async def settled(self) -> Cache:
        """The objects in the version of this store, up to what is in the cache now. Raises StatusError."""
        return self.cache

    async def read(self, items: list[Item]) -> list[Item]:
        """Stored objects in the version of this store. Raises StatusError."""
        return items

    async def _encode(self, tree: Tree) -> Encoded:
        """Raises StatusError."""
        return self._commits.encode(tree)

    def _changes_nothing(self, new: Tree, current: Item) -> bool:
        """Whether a write may be left out."""
        return meta.same_but_managers(new, current.tree)

    async def _made(self, make: Make, current: Item) -> Tree:
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
        return errors.not_found(self._called.group, self._called.plural, name)

    def conflict(self, name: str, cause: str = errors.OBJECT_MODIFIED) -> StatusError:
        return errors.conflict(self._called.group, self._called.plural, name, cause)

    # Creating.

    async def create(
        self, ctx: RequestContext, new: Tree, namespace: str, options: WriteOptions, may_create: MayCreate | None = None
    ) -> Item:
        """Store a new object; `new` is given up by the caller. With generateName, taken names are tried again."""
        metadata = new["metadata"]
        generated = not metadata.get("name") and bool(metadata.get("generateName"))
        if namespace:
            metadata["namespace"] = namespace
        attributes = self._attributes(ctx, "CREATE", namespace, options)
        attributes.object = new
        attributes.name = metadata.get("name", "")
        if attributes_wanted := self._access.admission.handles("CREATE", self.resource, ""):
            await self._access.admission.mutate(attributes)
            new = attributes.object
            metadata = new["metadata"]
            if namespace and metadata.setdefault("namespace", namespace) != namespace:
                raise errors.bad_request(errors.OTHER_NAMESPACE)
        meta.fill_for_create(metadata, ctx.services.clock.now(), generation=self.strategy.tracks_generation)
        for attempt in range(NAME_TRIES if generated else 1):
            if generated:
                metadata["name"] = meta.generated_name(metadata["generateName"], self._access.rng)
            try:
                return await self._create_named(
                    ctx, new, attributes if attributes_wanted else None, options, may_create
                )
            except StatusError as error:
                if not generated or error.reason != "AlreadyExists" or attempt == NAME_TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _create_named(
        self,
        ctx: RequestContext,
        new: Tree,
        attributes: Attributes | None,
        options: WriteOptions,
        may_create: MayCreate | None,
    ) -> Item:
        strategy = self.strategy
        strategy.prepare_for_create(ctx, new)
        undo = await strategy.begin_create(ctx, new, dry_run=options.dry_run)
        try:
            meta.drop_empty(new["metadata"])
            ctx.warn(meta.drop_repeated_owners(new["metadata"]))
            self._refuse_invalid(new, validate(self._called, new) + strategy.validate(ctx, new))
            for text in strategy.warnings(ctx, new, None):
                ctx.warn(text)
            strategy.complete(new)
            if may_create is not None:
                await may_create(ctx)
            if attributes is not None:
                attributes.object, attributes.name = new, new["metadata"]["name"]
                await self._access.admission.validate(attributes)
            item = await self._commit_create(ctx, new, options)
        except BaseException:
            await _undone(undo)
            raise
        if options.dry_run:
            await _undone(undo)
        else:
            await strategy.after_create(ctx, new)
        return item

    async def _commit_create(self, ctx: RequestContext, new: Tree, options: WriteOptions) -> Item:
        name = new["metadata"]["name"]
        key = self.object_key(new["metadata"].get("namespace", ""), name)
        if (standing := self.cache.get(key)) is not None:
            raise self._taken(new["metadata"], standing)
        encoded = await self._encode(_without_empty(ctx, new))
        version = _given_version(new)
        if options.dry_run:
            return await self._seen(Item(key, encoded.value, version, 0))
        if version:
            raise errors.unexpected("resourceVersion should not be set on objects to be created")
        ttl = self.strategy.ttl_seconds(ctx, new)
        item = await self._commits.create(key, encoded, ttl=ttl)
        if item is None:
            raise self._taken(new["metadata"], None)
        return await self._seen(item)

    async def _seen(self, item: Item) -> Item:
        (made,) = await self.read([item])
        return made

    def _taken(self, metadata: Tree, standing: Item | None) -> StatusError:
        """A generateName is taken for the reason, also where the client gave the name."""
        refuse = errors.generate_name_conflict if metadata.get("generateName") else errors.already_exists
        error = refuse(self._called.group, self._called.plural, metadata["name"])
        if standing is not None and "deletionTimestamp" in standing.tree["metadata"]:
            return StatusError(error.code, error.reason, f"object is being deleted: {error.message}", error.details)
        return error

    # Updating.

    async def update(self, ctx: RequestContext, update: Update) -> tuple[Item, bool]:
        """Change an object (or create it, where that is allowed); the result, and whether it was created."""
        key = self.object_key(update.namespace, update.name)
        current = await self.fetch(key)
        while True:
            if current is None:
                return await self._create_by_update(ctx, update)
            new = await self._made(update.make, current)
            outcome = await self._try_update(ctx, update, new, current)
            if outcome is not None:
                return outcome, False
            current = await self.refresh(key)

    async def _create_by_update(self, ctx: RequestContext, update: Update) -> tuple[Item, bool]:
        if update.may_create is None:
            raise self.not_found(update.name)
        new = update.make(None)
        if new["metadata"].get("uid"):
            cause = f"Precondition failed: UID in precondition: {new['metadata']['uid']}, UID in object meta: "
            raise self.conflict(update.name, cause)
        _parsed_version(new["metadata"].get("resourceVersion") or "0")
        new["metadata"].pop("resourceVersion", None)  # what has no version is none of that version either
        return await self.create(ctx, new, update.namespace, update.options, update.may_create), True

    async def _try_update(self, ctx: RequestContext, update: Update, new: Tree, current: Item) -> Item | None:
        """The object after the change; None if somebody else has changed it meanwhile."""
        strategy, old, options = self.strategy, current.tree, update.options
        attributes = self._attributes(ctx, "UPDATE", update.namespace, options)
        attributes.name, attributes.subresource = update.name, update.subresource
        view = update.part if update.part is not None and not update.part.is_whole else None
        attributes.object, attributes.old = (new, old) if view is None else (view.read(new), view.read(old))
        admitted = update.admit and self._access.admission.handles("UPDATE", self.resource, update.subresource)
        if admitted:
            await self._access.admission.mutate(attributes)
            new = attributes.object if view is None else view.merge(ctx, attributes.object, new)
        self._check_preconditions(new, current, update)
        metadata, old_metadata = new["metadata"], old["metadata"]
        if update.part is None:
            strategy.prepare_for_update(ctx, new, old)
        meta.keep_for_update(metadata, old_metadata)
        undo = await strategy.begin_update(ctx, new, old, dry_run=options.dry_run) if update.part is None else None
        try:
            meta.drop_empty(metadata)
            ctx.warn(meta.drop_repeated_owners(metadata))
            if update.subresource != "status":
                self._bump_generation(new, old)
            found = validate(self._called, new, old, update.subresource)
            found += update.part.validate(ctx, new, old) if update.part else strategy.validate_update(ctx, new, old)
            self._refuse_invalid(new, found)
            if update.part is None:  # upstream has no warnings for parts
                for text in strategy.warnings(ctx, new, old):
                    ctx.warn(text)
            if admitted:
                attributes.object = new if view is None else view.read(new)
                await self._access.admission.validate(attributes)
            item = await self._commit_update(ctx, new, current, options)
        except BaseException:
            await _undone(undo)
            raise
        if item is None or options.dry_run:
            await _undone(undo)
        elif item is not current:
            await strategy.after_update(ctx, new, old)
        return item

    def _bump_generation(self, new: Tree, old: Tree) -> None:
        if self.strategy.tracks_generation and self.strategy.bumps_generation(new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def _check_preconditions(self, new: Tree, current: Item, update: Update) -> None:
        """The resourceVersion and uid that the client means, if it says so, must be those of the stored object."""
        metadata = new["metadata"]
        name = current.tree["metadata"]["name"]
        uid, current_uid = metadata.get("uid"), current.tree["metadata"].get("uid")
        if update.names_uid and uid and uid != current_uid:
            raise self.uid_conflict(current, uid, dry_run=update.options.dry_run)
        version = metadata.get("resourceVersion") or "0"
        if version != str(current.revision) and _parsed_version(version) == 0:
            is_view = update.part is not None and not update.part.is_whole
            if not self.strategy.unconditional_update and not is_view:
                raise self.unversioned(name)
            metadata["resourceVersion"] = str(current.revision)
        elif version != str(current.revision):
            raise self.conflict(name)

    def unversioned(self, name: str) -> StatusError:
        """The kind is only updated by those who say which version they have seen."""
        wrong = fields.invalid(Path("metadata").child("resourceVersion"), 0, "must be specified for an update")
        return errors.invalid(self.resource.group, self.resource.plural, name, [wrong])

    def uid_conflict(self, current: Item, uid: str, *, dry_run: bool = False) -> StatusError:
        """The object that the client means is another one of the same name; a dry run never comes to where keys get their prefix."""
        key = self._commits.store_key(current.key).decode()
        cause = (
            f"StorageError: invalid object, Code: 4, Key: {key.removeprefix('/registry') if dry_run else key}, ResourceVersion: 0, "
            f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
            f"UID in object meta: {current.tree['metadata'].get('uid', '')}"
        )
        return self.conflict(current.tree["metadata"]["name"], cause)

    async def _commit_update(self, ctx: RequestContext, new: Tree, current: Item, options: WriteOptions) -> Item | None:
        new = _without_empty(ctx, new)
        metadata = new["metadata"]
        if self._changes_nothing(new, current) and not await self._is_stale(current, options):
            return current
        encoded = await self._encode(new)
        if options.dry_run:
            return await self._seen(Item(current.key, encoded.value, current.revision, current.create_revision))
        deleting = "deletionTimestamp" in metadata and not metadata.get("deletionGracePeriodSeconds")
        if deleting and not self.strategy.has_finalizers(new):
            return await self._remove_updated(ctx, new, encoded.value, current)
        item = await self._commits.update(current, encoded, ttl=self.strategy.ttl_seconds(ctx, new))
        return None if item is None else await self._seen(item)

    async def _is_stale(self, current: Item, options: WriteOptions) -> bool:
        asked = self._access.is_stale
        return asked is not None and not options.dry_run and await asked(self._commits.store_key(current.key))

    async def _remove_updated(self, ctx: RequestContext, new: Tree, value: bytes, current: Item) -> Item | None:
        """The last finalizer of a deleted object is gone: so is the object."""
        if not await self.remove(ctx, current, new):
            return None
        return await self._seen(Item(current.key, value, current.revision, current.create_revision))

    # Used by deletion.py too.

    async def remove(self, ctx: RequestContext, current: Item, last: Tree) -> int:
        """Take an object out of the store if it is still as `current`; the revision of that, or 0.

        `last` is how the object was when it went.
        """
        revision = await self._commits.delete(current)
        if revision:
            await self.strategy.after_delete(ctx, last)
        return revision

    async def replace(self, current: Item, new: Tree) -> Item | None:
        """Store a change that passes no hooks (a deletion's mark); None if somebody else was first."""
        item = await self._commits.update(current, await self._encode(new))
        return None if item is None else await self._seen(item)

    async def refresh(self, key: str) -> Item | None:
        """The object as the store has it now."""
        found = await self._commits.refresh(key)
        return None if found is None else await self._seen(found)

    @property
    def admission(self) -> Admission:
        return self._access.admission

    def _attributes(
        self, ctx: RequestContext, operation: Operation, namespace: str, options: WriteOptions
    ) -> Attributes:
        return Attributes(ctx, operation, self.resource, namespace, "", options=options.given, dry_run=options.dry_run)

    def _refuse_invalid(self, new: Tree, found: list[FieldError]) -> None:
        if found:
            raise errors.invalid(self.resource.group, self.resource.kind, new["metadata"].get("name", ""), found)


def _given_version(new: Tree) -> int:
    """The resourceVersion that a client gave a new object; 0 for none, or what is no version."""
    text = str(new["metadata"].get("resourceVersion") or "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _without_empty(ctx: RequestContext, new: Tree) -> Tree:
    """What the store keeps of an object with lists that are there and empty: whoever judged it has seen them."""
    if not ctx.has_empty:
        return new
    try:
        return emptied(schema_of(new["apiVersion"], new["kind"]), new)
    except KeyError:
        return new  # a custom resource, which keeps them


def _parsed_version(text: str) -> int:
    """The resourceVersion of a client. Raises StatusError 500 as upstream does for what is none."""
    if not (text.isascii() and text.isdigit()):
        raise errors.unexpected(f"strconv.ParseUint: parsing {quote(text)}: invalid syntax")
    return int(text)


async def _undone(undo: Undo | None) -> None:
    if undo is not None:
        await undo()
