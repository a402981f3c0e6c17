"""Leases: fields of coordinated leader election, which is off at this API level, are not kept."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy

SWITCHED_OFF = ("strategy", "preferredHolder")


class LeaseStrategy(KindStrategy):
    """What such a field holds already stays."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        _drop(new, {})

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        _drop(new, old)


def _drop(new: Tree, old: Tree) -> None:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    for name in SWITCHED_OFF:
        if name not in before:
            spec.pop(name, None)
