"""EndpointSlices: what their writers are warned of."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy


class EndpointSliceStrategy(KindStrategy):
    """Labels count as content: whose slice it is stands there."""

    def bumps_generation(self, new: Tree, old: Tree) -> bool:
        after, before = (each["metadata"].get("labels") or {} for each in (new, old))
        return after != before or KindStrategy.bumps_generation(self, new, old)

    def warnings(self, ctx: RequestContext, new: Tree, old: Tree | None) -> list[str]:
        if old is None and new.get("addressType") == "FQDN":
            return ["spec.addressType: FQDN endpoints are deprecated"]
        return []
