"""CSIDrivers: a field that is off at this API level is not kept, and the first change is the first generation."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy

SWITCHED_OFF = "preventPodSchedulingIfMissing"


class CSIDriverStrategy(KindStrategy):
    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        new["spec"].pop(SWITCHED_OFF, None)
        new["metadata"].pop("generation", None)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        if SWITCHED_OFF not in old["spec"]:
            new["spec"].pop(SWITCHED_OFF, None)
