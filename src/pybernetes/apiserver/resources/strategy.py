"""What a kind may say about itself; the default covers every built-in kind and every custom resource.

The generic store calls the hooks in this order.
create: `prepare_for_create`, mutating admission, `begin_create`, `validate`, validating admission, commit, `after_create`
update: `prepare_for_update`, mutating admission, `begin_update`, `validate_update`, validating admission, commit
delete: validating admission, `check_graceful_delete`, commit (of a mark or of the removal), `after_delete`
Hooks get objects in the storage version. `new` is the caller's own and may be changed in place; `old` never.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeAlias

from pybernetes.api.field import FieldError
from pybernetes.api.scheme import Resource
from pybernetes.apiserver.context import RequestContext, Tree
from pybernetes.apiserver.http.message import Answer

Undo: TypeAlias = Callable[[], Awaitable[None]]
"""Gives back what a begin_ hook reserved; called when the write does not happen, or was a dry run."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an action is called on: `tail` is the rest of the path behind the subresource ("proxy/a/b" -> "a/b")."""

    resource: Resource
    namespace: str
    name: str
    subresource: str
    verb: str
    tail: str = ""


class Action(Protocol):
    """A subresource that is an operation: binding, eviction, token, log, exec, attach, portforward, proxy."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer: ...


class Part:
    """A subresource that is a view of the object, and what writing through it may change.

    GET, PUT and PATCH (server-side apply too) work on every part by themselves. The default is `status`.
    """

    def read(self, obj: Tree) -> Tree:
        """What the client sees of the object: the object itself, or an object of another kind such as a Scale."""
        return obj

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

    managed_by: ClassVar[str] = ""
    """Name under which managedFields track the part, if not its own: scale's writes belong to the main object."""


@dataclass(slots=True)
class Strategy:
    """Hooks of one kind; subclasses override what differs.

    `tracks_generation`: metadata.generation starts at 1 and grows when anything but metadata and status changes.
    `virtual`: creations of the kind are answered by this and never stored (reviews).
    """

    resource: Resource
    parts: Mapping[str, Part] = field(default_factory=lambda: {"status": Part()})
    actions: Mapping[str, Action] = field(default_factory=dict)
    virtual: Action | None = None
    create_on_update: bool = False
    unconditional_update: bool = True
    tracks_generation: bool = False

    @property
    def has_status(self) -> bool:
        return "status" in self.resource.subresources

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
        return []

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

    def grace_seconds(self, ctx: RequestContext, obj: Tree, requested: int | None) -> int:
        """The grace period of a deletion; 0 deletes at once. `requested` is the caller's wish."""
        return 0

    def prepare_for_delete(self, ctx: RequestContext, new: Tree) -> None:
        """The object is about to be marked as deleting (`new` has its deletionTimestamp already)."""

    def selectable_fields(self, obj: Tree) -> dict[str, str]:
        """Field selector names besides metadata.name and metadata.namespace, and this object's values."""
        return {}

    selectable: ClassVar[frozenset[str]] = frozenset()
    """The names that `selectable_fields` returns, whatever the object."""

    def to_storage(self, obj: Tree) -> Tree:
        """An object of the served version in the storage version; the same one where they agree."""
        return obj

    def from_storage(self, obj: Tree) -> Tree:
        """The reverse of `to_storage`; never changes `obj`."""
        return obj
