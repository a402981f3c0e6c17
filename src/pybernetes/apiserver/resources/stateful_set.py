"""StatefulSets: a field whose feature is off at this API level is not kept."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy


class StatefulSetStrategy(KindStrategy):
    """Who has it already keeps it."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        _rolling(new).pop("maxUnavailable", None)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        if "maxUnavailable" not in _rolling(old) and "maxUnavailable" in _rolling(new):
            rolling = {name: value for name, value in _rolling(new).items() if name != "maxUnavailable"}
            strategy = {**new["spec"]["updateStrategy"], "rollingUpdate": rolling}
            new["spec"] = {**new["spec"], "updateStrategy": strategy}


def _rolling(stateful_set: Tree) -> Tree:
    strategy: Tree = stateful_set["spec"].get("updateStrategy") or {}
    return strategy.get("rollingUpdate") or {}
