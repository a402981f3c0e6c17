"""Nodes: who registers one may say at once how it is."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy


class NodeStrategy(KindStrategy):
    """Alone of all kinds a node may be created with its status."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        # Configuration of kubelets by the API server was taken out of Kubernetes; the field is left.
        new["spec"].pop("configSource", None)

    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        return KindStrategy.first_status(self, ctx, new) | (new.get("status") or {})
