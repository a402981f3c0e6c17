"""LimitRanges: one that is sent without a name gets one."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.registry.metadata import new_uid
from pybernetes.apiserver.resources.kind import KindStrategy


class LimitRangeStrategy(KindStrategy):
    """See the module."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        if not new["metadata"].get("name"):
            new["metadata"]["name"] = new_uid()
