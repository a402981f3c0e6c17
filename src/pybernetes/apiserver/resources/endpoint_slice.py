"""EndpointSlices: what their writers are warned of."""

from __future__ import annotations

from pybernetes.apiserver.context import RequestContext, Tree
from pybernetes.apiserver.resources.kind import KindStrategy


class EndpointSliceStrategy(KindStrategy):
    def warnings(self, ctx: RequestContext, new: Tree, old: Tree | None) -> list[str]:
        if new.get("addressType") == "FQDN":
            return ["spec.addressType: FQDN endpoints are deprecated"]
        return []
