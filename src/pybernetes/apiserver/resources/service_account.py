"""Service accounts: of the secrets that they list only the names are kept."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy


class ServiceAccountStrategy(KindStrategy):
    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        _keep_names(new)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        _keep_names(new)


def _keep_names(account: Tree) -> None:
    if account.get("secrets"):
        account["secrets"] = [{"name": one["name"]} if one.get("name") else {} for one in account["secrets"]]
