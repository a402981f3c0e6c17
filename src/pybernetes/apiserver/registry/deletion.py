"""Deleting: preconditions, grace, finalizers and who is to delete the dependents."""

from __future__ import annotations

from datetime import timedelta

from pybernetes.api import errors
from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.registry import metadata as meta
from pybernetes.apiserver.registry.options import DeleteOptions
from pybernetes.apiserver.registry.store import ObjectStore


async def delete(
    ctx: RequestContext,
    store: ObjectStore,
    namespace: str,
    name: str,
    options: DeleteOptions,
    *,
    admit: bool = True,
) -> tuple[Tree, bool]:
    """The object as last seen, and whether it is gone (else it is marked, and goes when grace and finalizers end)."""
    warn_of_deletion(ctx, store, options)
    current: Item | None = await store.must_get(namespace, name)
    admitted = admit and store.admission.handles("DELETE", store.resource, "")
    while current is not None:
        _check_preconditions(store, current, options)
        if admitted:
            await _admit(ctx, store, namespace, name, current, options)
        outcome = await _try_delete(ctx, store, current, options)
        if outcome is not None:
            return outcome
        current = await store.refresh(current.key)
    raise store.not_found(name)


def warn_of_deletion(ctx: RequestContext, store: ObjectStore, options: DeleteOptions) -> None:
    """Once for a request, also where there is nothing to delete."""
    chosen = bool(options.propagation) or options.orphan_dependents is not None
    ctx.warn(store.strategy.deletion_warning(chosen=chosen))


async def _admit(
    ctx: RequestContext, store: ObjectStore, namespace: str, name: str, current: Item, options: DeleteOptions
) -> None:
    attributes = Attributes(
        ctx, "DELETE", store.resource, namespace, "" if ctx.info.verb == "deletecollection" else name,
        old=current.tree, options=options.given, dry_run=options.dry_run,
    )  # fmt: skip
    await store.admission.mutate(attributes)
    await store.admission.validate(attributes)


def _check_preconditions(store: ObjectStore, current: Item, options: DeleteOptions) -> None:
    metadata = current.tree["metadata"]
    if options.uid is not None and options.uid != metadata["uid"]:
        cause = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise _precondition_conflict(store, metadata["name"], "UID", options.uid, metadata["uid"], cause)
    if options.resource_version is not None and options.resource_version != str(current.revision):
        wanted, found = options.resource_version, str(current.revision)
        cause = (
            f"the ResourceVersion in the precondition ({wanted}) does not match "
            f"the ResourceVersion in record ({found}). The object might have been modified"
        )
        raise _precondition_conflict(store, metadata["name"], "ResourceVersion", wanted, found, cause)


def _precondition_conflict(
    store: ObjectStore, name: str, what: str, wanted: str, found: str, cause: str
) -> StatusError:
    if store.strategy.ends_in_two_steps:  # upstream judges these itself, before its store does
        cause = f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
        return errors.conflict(store.resource.group, store.resource.plural, name, cause)
    # Upstream names the kind here, where all other conflicts name the plural.
    return errors.conflict(store.resource.group, store.resource.kind, name, cause)


async def _try_delete(
    ctx: RequestContext, store: ObjectStore, current: Item, options: DeleteOptions
) -> tuple[Tree, bool] | None:
    """The outcome; None if somebody else has changed the object meanwhile."""
    new = current.decode()
    metadata = new["metadata"]
    grace = store.strategy.grace_seconds(ctx, new, _requested_grace(options))
    if grace is not None and _is_pending(metadata, options):
        return new, False
    if store.strategy.heeds_policy or ("deletionTimestamp" in metadata and store.strategy.has_dependents):
        _set_finalizers(store, metadata, options)
    marked = _mark(ctx, store, new, grace)
    if grace or store.strategy.has_finalizers(new):
        if not marked and new == current.tree:
            return new, False
        if options.dry_run:
            return new, False
        replaced = await store.replace(current, new)
        return None if replaced is None else (replaced.decode(), False)
    if options.dry_run:
        return (new if grace is not None else current.decode()), True
    # Watchers of kinds with grace see the mark before the end, even if the grace is none.
    marks = grace is not None and marked
    last = await store.replace(current, new) if marks else current
    revision = await store.remove(ctx, last, new) if last is not None else 0
    if last is None or not revision:
        return None
    seen = last.decode()
    if not marks:
        seen["metadata"]["resourceVersion"] = str(revision)
    return seen, True


def _is_pending(metadata: Tree, options: DeleteOptions) -> bool:
    """Whether the object has grace that this deletion does not shorten: then it changes nothing."""
    left, requested = metadata.get("deletionGracePeriodSeconds") or 0, _requested_grace(options)
    return left > 0 and "deletionTimestamp" in metadata and (requested is None or requested >= left)


def _requested_grace(options: DeleteOptions) -> int | None:
    """A negative grace period means at once."""
    if options.grace_seconds is not None and options.grace_seconds < 0:
        return 1
    return options.grace_seconds


def _set_finalizers(store: ObjectStore, metadata: Tree, options: DeleteOptions) -> None:
    """Put the garbage collector's finalizers where the propagation policy wants them."""
    before = metadata.get("finalizers") or []
    finalizers = [one for one in before if one not in (meta.ORPHAN, meta.FOREGROUND)]
    if _orphans(store, before, options):
        finalizers.append(meta.ORPHAN)
    if _foreground(before, options):
        finalizers.append(meta.FOREGROUND)
    if set(finalizers) == set(before):
        return
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)


def _orphans(store: ObjectStore, before: list[str], options: DeleteOptions) -> bool:
    if options.orphan_dependents is not None:
        return options.orphan_dependents
    if options.propagation:
        return options.propagation == "Orphan"
    return meta.ORPHAN in before or (store.strategy.orphans_dependents and meta.FOREGROUND not in before)


def _foreground(before: list[str], options: DeleteOptions) -> bool:
    if options.orphan_dependents is not None:
        return False
    if options.propagation:
        return options.propagation == "Foreground"
    return meta.FOREGROUND in before


def _mark(ctx: RequestContext, store: ObjectStore, new: Tree, grace: int | None) -> bool:
    """Set deletionTimestamp and grace period; whether anything about them changed.

    A second deletion may shorten the grace period, never lengthen it.
    """
    metadata = new["metadata"]
    seconds = grace or 0
    now = ctx.services.clock.now()
    if "deletionTimestamp" in metadata:
        left = metadata.get("deletionGracePeriodSeconds", 0)
        if grace is None or seconds >= left:
            return False
    elif metadata.get("generation"):
        metadata["generation"] += 1
    metadata["deletionTimestamp"] = meta.timestamp(now + timedelta(seconds=seconds))
    if grace is not None or (metadata.get("finalizers") and not store.strategy.ends_in_two_steps):
        metadata["deletionGracePeriodSeconds"] = seconds
    store.strategy.prepare_for_delete(ctx, new)
    return True
