"""What the strategies of built-in kinds have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

import msgspec
from msgspec import field

from pybernetes.api.decode import zero_value
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.strategy import Strategy
from pybernetes.apiserver.resources.switched_off import drop_switched_off

FieldOf: TypeAlias = Callable[[Tree], str]


class KindStrategy(Strategy):
    """A built-in kind: it has an empty status from the start, and its selectable fields by name."""

    fields: Mapping[str, FieldOf] = field(default_factory=dict)
    unnamed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What selectors may not name, by the resource that is asked for: an object may be served in several groups."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        if self.has_status:
            new["status"] = self.first_status(ctx, new)
        drop_switched_off(self.resource, new)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        Strategy.prepare_for_update(self, ctx, new, old)
        drop_switched_off(self.resource, new, old)

    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        """The status of a new object; the caller's own."""
        return empty_status(self.resource)

    @property
    def selectable(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(self.fields)

    def selects_by(self, name: str, resource: Resource) -> bool:
        return name not in self.unnamed.get(resource.group_resource, ()) and Strategy.selects_by(self, name, resource)

    def selectable_fields(self, obj: Tree) -> dict[str, str]:
        return {name: read(obj) for name, read in self.fields.items()}


def empty_status(resource: Resource) -> Tree:
    """A status as upstream writes it before anything is known; the caller's own."""
    status: Tree = msgspec.json.decode(_encoded_status(resource))
    return status


@cache
def _encoded_status(resource: Resource) -> bytes:
    status = schema_of(resource.api_version, resource.kind).properties.get("status")
    return b"{}" if status is None else msgspec.json.encode(zero_value(status))


def path(*steps: str) -> FieldOf:
    """Reads a field of an object as field selectors compare it: absent is empty, booleans are in lower case."""

    def read(obj: Tree) -> str:
        found: Any = obj
        for step in steps:
            found = (found or {}).get(step)
        if isinstance(found, bool):
            return str(found).lower()
        return "" if found is None else str(found)

    return read
