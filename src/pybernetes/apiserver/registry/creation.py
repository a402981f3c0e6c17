"""Creating: the name, admission, what the kind adds and demands, and the write, in upstream's order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from pybernetes.api import errors
from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree, copied
from pybernetes.api.validation import validate
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.cacher.item import Item, as_told
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.registry import metadata as meta
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.registry.store import ObjectStore, undone, without_empty

NAME_TRIES: Final = 8
MAX_VERSION: Final = (1 << 64) - 1

MayCreate: TypeAlias = Callable[[RequestContext], Awaitable[None]]
"""Raises StatusError for who may change objects of the kind, but not create them."""


async def create(
    ctx: RequestContext,
    store: ObjectStore,
    new: Tree,
    namespace: str,
    options: WriteOptions,
    may_create: MayCreate | None = None,
) -> Item:
    """Store a new object; `new` is given up by the caller. With generateName, taken names are tried again."""
    metadata = new["metadata"]
    generated = not metadata.get("name") and bool(metadata.get("generateName"))
    if namespace:
        metadata["namespace"] = namespace
    attributes = store.attributes(ctx, "CREATE", namespace, options)
    attributes.object = new
    attributes.name = metadata.get("name", "")
    if admitted := store.admission.handles("CREATE", store.resource, ""):
        await store.admission.mutate(attributes)
        new = attributes.object
        metadata = new["metadata"]
        if namespace and metadata.setdefault("namespace", namespace) != namespace:
            raise errors.bad_request(errors.OTHER_NAMESPACE)
    strategy = store.strategy
    begins_generation = strategy.tracks_generation and strategy.begins_generation
    meta.fill_for_create(metadata, ctx.services.clock.now(), generation=begins_generation, posted=may_create is None)
    for attempt in range(NAME_TRIES if generated else 1):
        named = new
        if generated:
            named = copied(new)  # what a kind makes of it, by its name too, would stay for the next try
            named["metadata"]["name"] = meta.generated_name(metadata["generateName"], store.rng)
        try:
            return await _create_named(ctx, store, named, attributes if admitted else None, options, may_create)
        except StatusError as error:
            if not generated or error.reason != "AlreadyExists" or attempt == NAME_TRIES - 1:
                raise
    raise AssertionError("the last try returns or raises")


async def _create_named(
    ctx: RequestContext,
    store: ObjectStore,
    new: Tree,
    attributes: Attributes | None,
    options: WriteOptions,
    may_create: MayCreate | None,
) -> Item:
    strategy = store.strategy
    strategy.prepare_for_create(ctx, new)
    undo = await strategy.begin_create(ctx, new, dry_run=options.dry_run)
    try:
        meta.drop_empty(new["metadata"])
        ctx.warn(meta.drop_repeated_owners(new["metadata"]))
        store.refuse_invalid(ctx, new, validate(store.called, new) + strategy.validate(ctx, new))
        for text in strategy.warnings(ctx, new, None):
            ctx.warn(text)
        strategy.complete(new)
        if may_create is not None:
            await may_create(ctx)
        if attributes is not None:
            attributes.object, attributes.name = new, new["metadata"]["name"]
            await store.admission.validate(attributes)
        item = await _commit(ctx, store, new, options)
    except BaseException:
        await undone(undo)
        raise
    if options.dry_run:
        await undone(undo)
    else:
        await strategy.after_create(ctx, new)
    return item


async def _commit(ctx: RequestContext, store: ObjectStore, new: Tree, options: WriteOptions) -> Item:
    name = new["metadata"]["name"]
    key = store.object_key(new["metadata"].get("namespace", ""), name)
    told = str(new["metadata"].get("resourceVersion") or "")
    if not options.dry_run and _is_version(told):
        raise errors.unexpected("resourceVersion should not be set on objects to be created")
    if (standing := store.cache.get(key)) is not None:
        raise _taken(store, new["metadata"], standing)
    if not options.dry_run:
        new["metadata"].pop("selfLink", None)  # which is never stored
    encoded = await store.encode(without_empty(ctx, new))
    if options.dry_run:
        return await store.seen(Item(key, as_told(encoded.value, told), 0, 0))
    ctx.must_finish()
    item = await store.commits.create(key, encoded, ttl=store.strategy.ttl_seconds(ctx, new))
    if item is None:
        raise _taken(store, new["metadata"], None)
    return await store.seen(item)


def _taken(store: ObjectStore, metadata: Tree, standing: Item | None) -> StatusError:
    """A generateName is taken for the reason, also where the client gave the name."""
    refuse = errors.generate_name_conflict if metadata.get("generateName") else errors.already_exists
    error = refuse(store.called.group, store.called.plural, metadata["name"])
    if standing is not None and "deletionTimestamp" in standing.tree["metadata"]:
        return StatusError(error.code, error.reason, f"object is being deleted: {error.message}", error.details)
    return error


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) <= MAX_VERSION
