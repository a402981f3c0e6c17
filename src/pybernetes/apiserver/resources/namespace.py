"""Namespaces: they end in two steps, of which the second waits for their content to be gone."""

from __future__ import annotations

from typing import ClassVar

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.strategy import Part

FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(KindStrategy):
    """A namespace with finalizers in its spec is only marked by a deletion: phase Terminating."""

    ends_in_two_steps: ClassVar[bool] = True

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        spec = new.setdefault("spec", {})
        finalizers = spec.get("finalizers") or []
        if FINALIZER not in finalizers:
            spec["finalizers"] = [*finalizers, FINALIZER]
        new["status"] = {"phase": "Active"}

    def complete(self, new: Tree) -> None:
        new["metadata"].setdefault("labels", {})[NAME_LABEL] = new["metadata"]["name"]

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        new["spec"] = old.get("spec") or {}
        new["status"] = old.get("status") or {}

    def has_finalizers(self, obj: Tree) -> bool:
        return bool(obj["metadata"].get("finalizers") or (obj.get("spec") or {}).get("finalizers"))

    def prepare_for_delete(self, ctx: RequestContext, new: Tree) -> None:
        new["status"] = (new.get("status") or {}) | {"phase": "Terminating"}


class Finalize(Part):
    """Where the namespace controller takes its finalizer away, once nothing is left in the namespace."""

    has_table = False

    managed_by: ClassVar[str] = "finalize"

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        return {**old, "metadata": view["metadata"], "spec": view.get("spec") or {}}
