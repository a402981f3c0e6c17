"""Nodes: who registers one may say at once how it is."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.strategy import Part


class NodeStrategy(KindStrategy):
    """Alone of all kinds a node may be created with its status."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        # Configuration of kubelets by the API server was taken out of Kubernetes; the fields are left.
        new["spec"].pop("configSource", None)

    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        status = KindStrategy.first_status(self, ctx, new) | (new.get("status") or {})
        status.pop("config", None)
        return status


class NodeStatus(Part):
    """What the kubelet says of its node."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        if "config" in merged.get("status", ()) and "config" not in old.get("status", ()):
            merged["status"] = {name: value for name, value in merged["status"].items() if name != "config"}
        return merged
