"""APIServices: what is served by this server is available from the start."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.timestamps import now


class APIServiceStrategy(KindStrategy):
    """See the module."""

    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        status = KindStrategy.first_status(self, ctx, new)
        if not new["spec"].get("service"):
            local = "Local APIServices are always available"
            condition = {"type": "Available", "status": "True", "reason": "Local", "message": local}
            status["conditions"] = [condition | {"lastTransitionTime": now(ctx)}]
        return status
