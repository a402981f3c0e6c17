"""DaemonSets: their templates are counted."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy


class DaemonSetStrategy(KindStrategy):
    """The count is the server's alone, whatever clients write there; see `DaemonSetConversion`."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        new["spec"]["templateGeneration"] = 1

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        changed = new["spec"].get("template") != old["spec"].get("template")
        new["spec"] = {**new["spec"], "templateGeneration": old["spec"].get("templateGeneration", 0) + changed}
