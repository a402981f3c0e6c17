"""CSIDrivers: the first change is the first generation."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy


class CSIDriverStrategy(KindStrategy):
    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        new["metadata"].pop("generation", None)
