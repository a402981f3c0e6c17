"""Fields whose features are off at this API level: they are read, owned, and not kept. Who has one already keeps it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from pybernetes.api.schema import Kind, Schema, schema_for, schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree

_OFF: Final = {
    "core.v1.Lifecycle": ("stopSignal",),
    "core.v1.PodSpec": ("schedulingGroup",),
    "core.v1.PodStatus": ("nodeAllocatableResourceClaimStatuses",),
    "core.v1.VolumeMountStatus": ("volumeStatus",),
    "core.v1.VolumeProjection": ("clusterTrustBundle", "podCertificate"),
    "apps.v1.RollingUpdateStatefulSetStrategy": ("maxUnavailable",),
    "discovery.v1.Endpoint": ("deprecatedTopology",),
    "storage.v1.CSIDriverSpec": ("preventPodSchedulingIfMissing",),
}
"""Definition -> its fields that are off; k8s.io/kubernetes/pkg/features says which features are."""
_GONE_WHEN_EMPTY: Final = ("lifecycle",)

_Visit: TypeAlias = Callable[[Any], Any]
"""A value without them: the very same value if it has none."""


def drop_switched_off(resource: Resource, new: Tree, old: Tree | None = None) -> None:
    """Take them out of an object, whose parts stay as they are (they may be shared)."""
    drop_from(schema_of(resource.api_version, resource.kind).definition, new, old)


def drop_from(definition: str, new: Tree, old: Tree | None) -> None:
    """The same for a part of an object, by the definition of that."""
    visit = _visit_of(definition)
    if visit is None or (kept := visit(new)) is new:
        return
    if old is None or visit(old) is old:
        for name in new.keys() - kept.keys():
            del new[name]
        new |= kept


@cache
def _visit_of(definition: str) -> _Visit | None:
    """None where nothing below is switched off."""
    if definition.endswith(".JSONSchemaProps"):  # they contain themselves
        return None
    off = _OFF.get(definition.removeprefix("io.k8s.api."), ())
    visits = {name: _visit_node(node) for name, node in schema_for(definition).properties.items()}
    below = {name: one for name, one in visits.items() if one is not None}
    if not off and not below:
        return None

    pairs = list(below.items())

    def visit(tree: Any) -> Any:
        changed: Tree | None = None
        for name, one in pairs:
            value = tree.get(name)
            if value and (made := one(value)) is not value:
                if not made and name in _GONE_WHEN_EMPTY:
                    return visit({key: held for key, held in tree.items() if key != name})
                changed = {**(changed or {}), name: made}
        for name in off:
            if name in tree:
                return {name: value for name, value in (tree | (changed or {})).items() if name not in off}
        return tree if changed is None else tree | changed

    return visit


def _visit_node(node: Schema) -> _Visit | None:
    if node.kind is not Kind.LIST:
        return _visit_of(node.definition) if node.definition else None
    visit = _visit_of(node.items.definition) if node.items is not None and node.items.definition else None
    if visit is None:
        return None
    one = visit

    def each(values: list[Any]) -> list[Any]:
        for value in values:
            if one(value) is not value:
                return [one(item) for item in values]
        return values

    return each
