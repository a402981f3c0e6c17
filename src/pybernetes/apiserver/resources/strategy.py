"""What a kind may say about itself; the default covers every built-in kind and every custom resource.

The generic store calls the hooks in this order.
create: mutating admission, `prepare_for_create`, `begin_create`, `validate`, validating admission, commit, `after_create`
update: mutating admission, `prepare_for_update`, `begin_update`, `validate_update`, validating admission, commit,
`after_update`; through a part instead: `Part.merge`, mutating admission, `Part.validate`, validating admission, commit
delete: validating admission, `grace_seconds`, commit (of a mark or of the removal), `after_delete`
Hooks get objects in the storage version. `new` is the caller's own and may be changed in place; `old` never.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final, Protocol, TypeAlias

from msgspec import Struct, field

from pybernetes.api.field import FieldError
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.api.warnings import warnings_for
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer

Undo: TypeAlias = Callable[[], Awaitable[None]]
"""Gives back what a begin_ hook reserved; called when the write does not happen, or was a dry run."""


class Target(Struct, frozen=True):
    """What an action is called on: `tail` is the rest of the path behind the subresource ("proxy/a/b" -> "a/b")."""

    resource: Resource
    namespace: str
    name: str
    subresource: str
    verb: str
    tail: str = ""


_UNGENERATED: Final = frozenset(("apiVersion", "kind", "metadata", "status"))


class Action(Protocol):
    """A subresource that is an operation: binding, eviction, token, log, exec, attach, portforward, proxy."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer: ...


class Part:
    """A subresource that is a view of the object, and what writing through it may change.

    GET, PUT and PATCH (server-side apply too) work on every part by themselves. The default is `status`.
    """

    is_whole: ClassVar[bool] = True
    """Clients see the object itself through this part; False: an object of the subresource's own kind."""

    def read(self, obj: Tree) -> Tree:
        """What the client sees of the object: the object itself, or an object of another kind such as a Scale."""
        return obj

    def check_shown(self, obj: Tree) -> None:
        """Raises StatusError for an object that has nothing to be shown here."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        """The object to be stored: `old`, with what this part may change taken from the client's `view`.

        Neither argument is changed; the result may share unchanged parts with both. Raises StatusError.
        """
        merged = {key: value for key, value in old.items() if key not in ("metadata", "status")}
        merged["metadata"] = view["metadata"]
        if "status" in view:
            merged["status"] = view["status"]
        return merged

    def validate(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        """What is wrong with the merged object."""
        return []

    has_table: ClassVar[bool] = True
    """Whether upstream shows the object as a Table through this part, too."""
    managed_by: ClassVar[str] = ""
    """Name under which managedFields track the part, if not its own: scale's writes belong to the main object."""


class Strategy(Struct):
    """Hooks of one kind; subclasses override what differs.

    `tracks_generation`: metadata.generation starts at 1 and grows when anything but metadata and status changes.
    `replicas_path`: where the field is that a `scale` subresource sets.
    `virtual`: creations of the kind are answered by this and never stored (reviews).
    `returns_deleted`: DELETE answers with the object instead of a Status.
    `orphans_dependents`: the default of propagationPolicy is Orphan, not Background.
    `tracks_owners`: objects have managedFields.
    """

    resource: Resource
    parts: Mapping[str, Part] = field(default_factory=lambda: {"status": Part()})
    actions: Mapping[str, Action] = field(default_factory=dict)
    virtual: Action | None = None
    create_on_update: bool = False
    unconditional_update: bool = True
    tracks_generation: bool = False
    replicas_path: str = "spec.replicas"
    returns_deleted: bool = False
    orphans_dependents: bool = False
    tracks_owners: bool = True
    begins_generation: ClassVar[bool] = True
    """A new object of a kind that tracks generation is its first one."""
    ends_in_two_steps: ClassVar[bool] = False
    """The first deletion only begins what a controller ends (namespaces, definitions)."""
    heeds_policy: ClassVar[bool] = True
    """Whether propagationPolicy counts for the first deletion, too."""
    is_cached: ClassVar[bool] = True
    """Whether upstream answers lists from memory: then they are not cut, and a revision to come is worth another try."""
    has_dependents: ClassVar[bool] = True
    """Whether propagationPolicy counts at all."""

    @property
    def has_status(self) -> bool:
        return "status" in self.resource.subresources

    def bumps_generation(self, new: Tree, old: Tree) -> bool:
        """Whether a change makes metadata.generation grow, if the kind tracks it: by default, if the spec changes."""
        changed = (key for key in new.keys() | old.keys() if key not in _UNGENERATED)
        return any(new.get(key) != old.get(key) and (new.get(key) or old.get(key)) for key in changed)

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        """Drop what clients may not set, set what the server decides."""
        if self.has_status:
            new.pop("status", None)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        """Put back what an update through the main resource may not change."""
        if self.has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]

    def validate(self, ctx: RequestContext, new: Tree) -> list[FieldError]:
        """What is wrong with a new object, beyond its metadata and its schema."""
        return []

    def validate_update(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        """What is wrong with a change, beyond its metadata and its schema; by default what a creation may not be."""
        return self.validate(ctx, new)

    def warnings(self, ctx: RequestContext, new: Tree, old: Tree | None) -> list[str]:
        """Texts for Warning headers; `old` is None for a creation."""
        return warnings_for(self.resource, new, old)

    def deletion_warning(self, *, chosen: bool) -> str:
        """The text for a deletion, "" for none; `chosen` says whether the client said what becomes of dependents."""
        return ""

    def complete(self, new: Tree) -> None:
        """What upstream's defaults add to an object as it is read again: nobody judges it."""

    def is_completed(self, created: Tree) -> bool:
        """Whether upstream stored the object, as it was created, without a part of what is read.

        Its next write stores that part: so it is one even if it changes nothing.
        """
        return False

    async def begin_create(self, ctx: RequestContext, new: Tree, *, dry_run: bool) -> Undo | None:
        """Reserve what the object needs (addresses, ports), writing it into `new`."""
        return None

    async def begin_update(self, ctx: RequestContext, new: Tree, old: Tree, *, dry_run: bool) -> Undo | None:
        """Reserve what the change needs; what it no longer needs is released by `after_update`."""
        return None

    async def after_create(self, ctx: RequestContext, new: Tree) -> None:
        """The object is committed."""

    async def after_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        """The change is committed."""

    async def after_delete(self, ctx: RequestContext, old: Tree) -> None:
        """The object is gone: release what it held."""

    def ttl_seconds(self, ctx: RequestContext, obj: Tree) -> int:
        """Seconds until the object deletes itself; 0 for never."""
        return 0

    def grace_seconds(self, ctx: RequestContext, obj: Tree, requested: int | None) -> int | None:
        """The grace period of a deletion, None for kinds that have none; `requested` is the caller's wish."""
        return None

    def has_finalizers(self, obj: Tree) -> bool:
        """Whether somebody still has to do something before a deleted object may go."""
        return bool(obj["metadata"].get("finalizers"))

    def prepare_for_delete(self, ctx: RequestContext, new: Tree) -> None:
        """The object is about to be marked as deleting (`new` has its deletionTimestamp already)."""

    def selectable_fields(self, obj: Tree) -> dict[str, str]:
        """Field selector names besides metadata.name and metadata.namespace, and this object's values."""
        return {}

    selectable: ClassVar[frozenset[str]] = frozenset()
    """The names that `selectable_fields` returns, whatever the object."""

    def selects_by(self, name: str, resource: Resource) -> bool:
        """Whether a field selector of the resource may name the field."""
        return name in ("metadata.name", "metadata.namespace") or name in self.selectable

    def unknown_field(self, name: str) -> str:
        """The words for a field selector that asks for something else."""
        if self.selectable:
            return f"field label not supported: {name}"
        return f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'
