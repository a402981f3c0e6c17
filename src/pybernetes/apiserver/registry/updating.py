"""Updating: preconditions, admission, what the kind keeps and demands, and the write, in upstream's order."""

from __future__ import annotations

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api import field as fields
from pybernetes.api.errors import StatusError
from pybernetes.api.field import Path, quote
from pybernetes.api.tree import Tree
from pybernetes.api.validation import validate
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.registry import metadata as meta
from pybernetes.apiserver.registry.creation import MAX_VERSION, MayCreate, create
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.registry.store import Make, ObjectStore, undone, without_empty
from pybernetes.apiserver.resources.strategy import Part


class Update(Struct, frozen=True):
    """One update or patch."""

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


async def update(ctx: RequestContext, store: ObjectStore, change: Update) -> tuple[Item, bool]:
    """Change an object (or create it, where that is allowed); the result, and whether it was created."""
    key = store.object_key(change.namespace, change.name)
    current = await store.fetch(key)
    while current is not None:
        new = await store.made(change.make, current)
        outcome = await _try_update(ctx, store, change, new, current)
        if outcome is not None:
            return outcome, False
        current = await store.refresh(key)
    return await _create(ctx, store, change), True


async def _create(ctx: RequestContext, store: ObjectStore, change: Update) -> Item:
    if change.may_create is None:
        raise store.not_found(change.name)
    new = change.make(None)
    if new["metadata"].get("uid"):
        cause = f"Precondition failed: UID in precondition: {new['metadata']['uid']}, UID in object meta: "
        raise store.conflict(change.name, cause)
    _parsed_version(new["metadata"].get("resourceVersion") or "0")
    if not change.options.dry_run:
        new["metadata"].pop("resourceVersion", None)  # what has no version is none of that version either
    return await create(ctx, store, new, change.namespace, change.options, change.may_create)


async def _try_update(ctx: RequestContext, store: ObjectStore, change: Update, new: Tree, current: Item) -> Item | None:
    """The object after the change; None if somebody else has changed it meanwhile."""
    strategy, old, options = store.strategy, current.tree, change.options
    attributes = store.attributes(ctx, "UPDATE", change.namespace, options)
    attributes.name, attributes.subresource = change.name, change.subresource
    view = change.part if change.part is not None and not change.part.is_whole else None
    attributes.object, attributes.old = (new, old) if view is None else (view.read(new), view.read(old))
    admitted = change.admit and store.admission.handles("UPDATE", store.resource, change.subresource)
    if admitted:
        await store.admission.mutate(attributes)
        new = attributes.object if view is None else view.merge(ctx, attributes.object, new)
    if change.part is not None and view is None:  # what was admitted may say more than is written through the part
        new = _through(ctx, change.part, new, old)
    _check_preconditions(store, new, current, change)
    metadata, old_metadata = new["metadata"], old["metadata"]
    if change.part is None:
        strategy.prepare_for_update(ctx, new, old)
    meta.keep_for_update(metadata, old_metadata)
    undo = await strategy.begin_update(ctx, new, old, dry_run=options.dry_run) if change.part is None else None
    try:
        meta.drop_empty(metadata)
        ctx.warn(meta.drop_repeated_owners(metadata))
        if change.subresource != "status":
            _bump_generation(store, new, old)
        found = validate(store.called, new, old, change.subresource)
        found += change.part.validate(ctx, new, old) if change.part else strategy.validate_update(ctx, new, old)
        store.refuse_invalid(ctx, new, found)
        if change.part is None:  # upstream has no warnings for parts
            for text in strategy.warnings(ctx, new, old):
                ctx.warn(text)
        if admitted:
            attributes.object = new if view is None else view.read(new)
            await store.admission.validate(attributes)
        item = await _commit(ctx, store, new, current, options)
    except BaseException:
        await undone(undo)
        raise
    if item is None or options.dry_run:
        await undone(undo)
    elif item is not current:
        await strategy.after_update(ctx, new, old)
    return item


def _through(ctx: RequestContext, part: Part, new: Tree, old: Tree) -> Tree:
    told = {name: new[name] for name in ("kind", "apiVersion") if name in new}
    merged = part.merge(ctx, new, told | old)
    return {**merged, "metadata": dict(merged["metadata"])}


def _bump_generation(store: ObjectStore, new: Tree, old: Tree) -> None:
    if store.strategy.tracks_generation and store.strategy.bumps_generation(new, old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _check_preconditions(store: ObjectStore, new: Tree, current: Item, change: Update) -> None:
    """The resourceVersion and uid that the client means, if it says so, must be those of the stored object."""
    metadata = new["metadata"]
    name = current.tree["metadata"]["name"]
    uid, current_uid = metadata.get("uid"), current.tree["metadata"].get("uid")
    if change.names_uid and uid and uid != current_uid:
        raise _uid_conflict(store, current, uid, dry_run=change.options.dry_run)
    version = metadata.get("resourceVersion") or "0"
    if version != str(current.revision) and _parsed_version(version) == 0:
        is_view = change.part is not None and not change.part.is_whole
        if not store.strategy.unconditional_update and not is_view:
            raise _unversioned(store, name)
        metadata["resourceVersion"] = str(current.revision)
    elif version != str(current.revision):
        raise store.conflict(name)


def _unversioned(store: ObjectStore, name: str) -> StatusError:
    """The kind is only updated by those who say which version they have seen."""
    wrong = fields.invalid(Path("metadata").child("resourceVersion"), 0, "must be specified for an update")
    return errors.invalid(store.resource.group, store.resource.plural, name, [wrong])


def _uid_conflict(store: ObjectStore, current: Item, uid: str, *, dry_run: bool) -> StatusError:
    """The client means another object of the same name; a dry run never comes to where keys get their prefix."""
    key = store.commits.store_key(current.key).decode()
    cause = (
        f"StorageError: invalid object, Code: 4, Key: {key.removeprefix('/registry') if dry_run else key}, "
        f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
        f"UID in object meta: {current.tree['metadata'].get('uid', '')}"
    )
    return store.conflict(current.tree["metadata"]["name"], cause)


async def _commit(
    ctx: RequestContext, store: ObjectStore, new: Tree, current: Item, options: WriteOptions
) -> Item | None:
    new = without_empty(ctx, new)
    metadata = new["metadata"]
    if not options.dry_run:
        metadata.pop("selfLink", None)  # which is never stored
    if store.changes_nothing(new, current) and (options.dry_run or not await store.is_stale(current)):
        return current
    encoded = await store.encode(new)
    # Without a write, the object keeps its revision.
    unwritten = Item(current.key, encoded.value, current.revision, current.create_revision)
    if options.dry_run:
        return await store.seen(unwritten)
    ctx.must_finish()
    deleting = "deletionTimestamp" in metadata and not metadata.get("deletionGracePeriodSeconds")
    if deleting and not store.strategy.has_finalizers(new):  # the last finalizer is gone: so is the object
        return await store.seen(unwritten) if await store.remove(ctx, current, new) else None
    item = await store.commits.update(current, encoded, ttl=store.strategy.ttl_seconds(ctx, new))
    return None if item is None else await store.seen(item)


def _parsed_version(text: str) -> int:
    """The resourceVersion of a client. Raises StatusError 500 as upstream does for what is none."""
    if not (text.isascii() and text.isdigit()):
        raise errors.unexpected(f"strconv.ParseUint: parsing {quote(text)}: invalid syntax")
    if int(text) > MAX_VERSION:
        raise errors.unexpected(f"strconv.ParseUint: parsing {quote(text)}: value out of range")
    return int(text)
