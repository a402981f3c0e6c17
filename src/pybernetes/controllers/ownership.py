"""Who owns an object: controller references, and which loose objects a controller adopts or lets go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar, cast

from msgspec import Struct, field

from pybernetes.api import errors
from pybernetes.api.selectors.labels import LabelSelector, from_struct
from pybernetes.api.types import meta_v1
from pybernetes.api.types.base import Object
from pybernetes.client.cache import Key
from pybernetes.client.codec import HasMetadata
from pybernetes.client.informer import Informer
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client

T = TypeVar("T", bound=HasMetadata)


class _Spec(Protocol):
    @property
    def selector(self) -> meta_v1.LabelSelector | None: ...


class Selecting(HasMetadata, Protocol):
    """An owner that adopts what its selector selects."""

    @property
    def spec(self) -> _Spec: ...


def controller_of(obj: HasMetadata) -> meta_v1.OwnerReference | None:
    """The reference to the one owner that manages the object."""
    for owner in obj.metadata.owner_references:
        if owner.controller:
            return owner
    return None


def controller_uid(obj: HasMetadata) -> list[str]:
    """An index function: the UID of the managing owner, if there is one."""
    owner = controller_of(obj)
    return [owner.uid] if owner is not None else []


def is_controlled_by(obj: HasMetadata, owner: HasMetadata) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.uid == owner.metadata.uid


def reference(owner: HasMetadata) -> meta_v1.OwnerReference:
    """The reference that an object made by `owner` carries."""
    return meta_v1.OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.metadata.name or "",
        uid=owner.metadata.uid or "",
        controller=True,
        block_owner_deletion=True,
    )


class Claims(Struct, Generic[T], frozen=True):
    """The outcome of looking through candidates: `mine` already, `adopt` these loose ones, `release` these of mine."""

    mine: list[T] = field(default_factory=list)
    adopt: list[T] = field(default_factory=list)
    release: list[T] = field(default_factory=list)


def fits_any(candidate: HasMetadata) -> bool:
    """For owners whose selector says it all."""
    return True


def plan_claims(
    owner: HasMetadata, selector: LabelSelector, candidates: Iterable[T], fits: Callable[[T], bool] = fits_any
) -> Claims[T]:
    """Sort candidates; those that are selected and fit are the owner's.

    An owner that is being deleted takes nothing up; a candidate that is, is never adopted.
    """
    claims: Claims[T] = Claims()
    leaving = owner.metadata.deletion_timestamp is not None
    for candidate in candidates:
        found = controller_of(candidate)
        matches = selector.matches(candidate.metadata.labels) and fits(candidate)
        if found is not None and found.uid == owner.metadata.uid:
            if matches:
                claims.mine.append(candidate)
            elif not leaving:
                claims.release.append(candidate)
        elif found is None and matches and not leaving and candidate.metadata.deletion_timestamp is None:
            claims.adopt.append(candidate)
    return claims


def adoption_patch(owner: HasMetadata, obj: HasMetadata, finalizer: str = "") -> dict[str, Any]:
    """The strategic merge patch that makes `owner` the controller of this very object, and binds it by a finalizer."""
    own = reference(owner)
    return {
        "metadata": {
            "uid": obj.metadata.uid,
            "ownerReferences": [
                {
                    "apiVersion": own.api_version, "kind": own.kind, "name": own.name, "uid": own.uid,
                    "controller": True, "blockOwnerDeletion": True,
                }
            ],
            **({"finalizers": [finalizer]} if finalizer else {}),
        }
    }  # fmt: skip


def release_patch(owner: HasMetadata, obj: HasMetadata, finalizer: str = "") -> dict[str, Any]:
    """The strategic merge patch that removes `owner`, and the finalizer by which it is bound, from this very object."""
    return {
        "metadata": {
            "uid": obj.metadata.uid,
            "ownerReferences": [{"$patch": "delete", "uid": owner.metadata.uid}],
            **({"$deleteFromPrimitiveList/finalizers": [finalizer]} if finalizer else {}),
        }
    }


def concerned(
    kind: str, owners: Callable[[str], Iterable[Selecting]], old: HasMetadata | None, new: HasMetadata | None
) -> list[Key]:
    """The owners of a kind whom a change of an object concerns: who controls it, or did; of an object that nobody
    controls any more, or whose labels have changed, those that would adopt it. `owners` lists those of a namespace.
    """
    found: dict[Key, None] = {}
    for obj in (old, new):
        owner = controller_of(obj) if obj is not None else None
        if obj is not None and owner is not None and owner.kind == kind:
            found[(obj.metadata.namespace or "", owner.name)] = None
    if new is None or controller_of(new) is not None:
        return list(found)
    if old is not None and not controller_of(old) and old.metadata.labels == new.metadata.labels:
        return list(found)
    namespace = new.metadata.namespace or ""
    for candidate in owners(namespace):
        if from_struct(candidate.spec.selector).matches(new.metadata.labels):
            found[(namespace, candidate.metadata.name or "")] = None
    return list(found)


CONTROLLER_INDEX = "controller"
ORPHAN_INDEX = "orphans"


def add_owner_indexes(informer: Informer[T]) -> None:
    """Let `owned_and_orphans` find objects. Safe to repeat."""
    informer.add_index(CONTROLLER_INDEX, controller_uid)
    informer.add_index(ORPHAN_INDEX, _orphan_namespace)


def owned_and_orphans(informer: Informer[T], owner: HasMetadata) -> list[T]:
    """What a controller has to look through: its objects, and those in its namespace that nobody controls."""
    owned = informer.by_index(CONTROLLER_INDEX, owner.metadata.uid or "")
    return owned + informer.by_index(ORPHAN_INDEX, owner.metadata.namespace or "")


def _orphan_namespace(obj: HasMetadata) -> list[str]:
    return [] if controller_of(obj) else [obj.metadata.namespace or ""]


class Claimer(Generic[T]):
    """Carries claims out: adopts and releases objects of one kind for owners of another."""

    def __init__(
        self, client: Client, owners: type[Object], kind: type[Object], informer: Informer[T], finalizer: str = ""
    ) -> None:
        """`finalizer` is what an owner's objects carry for as long as they are its own."""
        self._client, self._owners, self._kind, self._informer = client, owners, kind, informer
        self._finalizer = finalizer

    async def claim(self, owner: HasMetadata, selector: LabelSelector, fits: Callable[[T], bool] = fits_any) -> list[T]:
        """The objects that `owner` controls from now on.

        Raises StatusError if one cannot be patched, once all others have been.
        """
        claims = plan_claims(owner, selector, owned_and_orphans(self._informer, owner), fits)
        mine, failed = list(claims.mine), None
        changes = [(obj, release_patch(owner, obj, self._finalizer)) for obj in claims.release]
        if claims.adopt and await self._still_there(owner):
            changes += [(obj, adoption_patch(owner, obj, self._finalizer)) for obj in claims.adopt]
        for obj, patch in changes:
            try:
                patched = await self._patch(obj, patch)
            except errors.StatusError as error:
                failed = failed or error
                continue
            if patched is not None and is_controlled_by(patched, owner):
                mine.append(patched)
        if failed is not None:
            raise failed
        return mine

    async def _still_there(self, owner: HasMetadata) -> bool:
        """Ask the server itself: the cache may not have seen yet that the owner is going."""
        try:
            live = await self._client.get(self._owners, owner.metadata.name or "", owner.metadata.namespace or "")
        except errors.StatusError as error:
            if errors.is_not_found(error):
                return False
            raise
        meta = cast(HasMetadata, live).metadata
        return meta.uid == owner.metadata.uid and meta.deletion_timestamp is None

    async def _patch(self, obj: T, patch: dict[str, Any]) -> T | None:
        """None for an object that is gone or was made anew."""
        name, namespace = obj.metadata.name or "", obj.metadata.namespace or ""
        try:
            patched = cast(T, await self._client.patch(self._kind, name, namespace, patch, PatchType.STRATEGIC))
        except errors.StatusError as error:
            if errors.is_not_found(error) or errors.is_invalid(error) or errors.is_conflict(error):
                return None
            raise
        self._informer.assume(patched)
        return patched
