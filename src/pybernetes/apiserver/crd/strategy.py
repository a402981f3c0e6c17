"""The strategies of definitions and of the objects they define."""

from __future__ import annotations

from typing import ClassVar, Final

from pybernetes.api import field
from pybernetes.api.errors import StatusError, method_not_supported
from pybernetes.api.field import FieldError, Path
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.api.validation.metadata import is_plain
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.crd.names import DELETION_PENDING, set_condition, stored_versions
from pybernetes.apiserver.crd.scale import validate_replicas, validate_status_replicas
from pybernetes.apiserver.crd.shape import Shape
from pybernetes.apiserver.resources.kind import path
from pybernetes.apiserver.resources.strategy import Part, Strategy

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
"""Holds a definition until its objects are gone."""


class CustomStatus(Part):
    """The status alone: neither spec nor metadata can be written here."""

    def __init__(self, shape: Shape, scale: Tree | None) -> None:
        """`scale`: the paths of the definition's `subresources.scale`."""
        self._shape = shape
        self._scale = scale

    def validate(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        found = self._shape.validate_status(new, old)
        return found + ([] if self._scale is None else list(validate_status_replicas(self._scale, new)))

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = {key: value for key, value in old.items() if key != "status"}
        given = view["metadata"]
        own = {key: given[key] for key in ("resourceVersion", "uid", "managedFields") if key in given}
        merged["metadata"] = {**old["metadata"], "resourceVersion": "", **own}
        if "status" in view:
            merged["status"] = view["status"]
        return merged


class CustomStrategy(Strategy):
    """An object of a custom resource."""

    shape: Shape | None = None
    scale: Tree | None = None
    terminating: bool = False
    fields: tuple[str, ...] = ()
    """What can be selected by, besides name and namespace: `spec.color`."""

    @property
    def selectable(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(self.fields)

    def selectable_fields(self, obj: Tree) -> dict[str, str]:
        return {name: path(*name.split("."))(obj) for name in self.fields}

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        if self.terminating:
            refusal = method_not_supported(self.resource.group, self.resource.plural, "create")
            words = "create not allowed while custom resource definition is terminating"
            raise StatusError(refusal.code, refusal.reason, words, refusal.details)
        Strategy.prepare_for_create(self, ctx, new)
        self._default_status(new)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        Strategy.prepare_for_update(self, ctx, new, old)
        self._default_status(new)

    def _default_status(self, new: Tree) -> None:
        """A status that was given does not count, but that the schema has one is seen by whoever reads the object."""
        if self.has_status and self.shape is not None:
            self.shape.default_status(new)

    def validate(self, ctx: RequestContext, new: Tree) -> list[FieldError]:
        found = [] if self.shape is None else self.shape.validate(new, None, self.resource)
        return self._wrong_kind(new) + found + self._wrong_replicas(new)

    def _wrong_kind(self, new: Tree) -> list[FieldError]:
        kind, wanted = new["kind"], self.resource.kind
        return [] if kind == wanted else [field.invalid(Path("kind"), kind, f"must be {wanted}")]

    def _wrong_replicas(self, new: Tree) -> list[FieldError]:
        return [] if self.scale is None else list(validate_replicas(self.scale, new))

    def validate_update(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        found = [] if self.shape is None else self.shape.validate(new, old, self.resource)
        return self._wrong_kind(new) + found + self._wrong_replicas(new)

    def warnings(self, ctx: RequestContext, new: Tree, old: Tree | None) -> list[str]:
        known = [] if old is None else old["metadata"].get("finalizers") or []
        return [
            f'metadata.finalizers: "{one}": prefer a domain-qualified finalizer name '
            f"{'including a path (/) ' if '.' in one else ''}to avoid accidental conflicts with other finalizer writers"
            for one in new["metadata"].get("finalizers") or []
            if is_plain(one) and one not in known
        ]

    def bumps_generation(self, new: Tree, old: Tree) -> bool:
        ignored = {"apiVersion", "kind", "metadata"} | ({"status"} if self.has_status else set())
        return any(new.get(key) != old.get(key) for key in new.keys() | old.keys() if key not in ignored)

    def unknown_field(self, name: str) -> str:
        return f"field label not supported: {name}"


class DefinitionStatus(Part):
    """What has become of a definition."""

    has_table = False


class DefinitionStrategy(Strategy):
    """A CustomResourceDefinition."""

    finalizer: ClassVar[str] = CLEANUP
    ends_in_two_steps: ClassVar[bool] = True
    heeds_policy: ClassVar[bool] = False

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        storage = [version["name"] for version in new["spec"].get("versions") or [] if version.get("storage")]
        names = {"plural": "", "kind": ""}
        new["status"] = {"conditions": None, "acceptedNames": names, "storedVersions": storage[:1]}

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        Strategy.prepare_for_update(self, ctx, new, old)
        new["status"] = {
            **(new.get("status") or {}),
            "storedVersions": stored_versions(new["spec"], new.get("status") or {}),
        }

    def prepare_for_delete(self, ctx: RequestContext, new: Tree) -> None:
        metadata = new["metadata"]
        finalizers = metadata.setdefault("finalizers", [])
        if self.finalizer not in finalizers:
            finalizers.append(self.finalizer)
        status = new["status"] = dict(new.get("status") or {})
        conditions = status["conditions"] = list(status.get("conditions") or [])
        set_condition(conditions, "Terminating", DELETION_PENDING, format_time(ctx.services.clock.now()))
        # Upstream counts no generation for the deletion of a definition.
        metadata["generation"] = max(1, metadata.get("generation", 1) - 1)
