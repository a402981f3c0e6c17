"""Secrets: the type of one that is written without a type stays."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy


class SecretStrategy(KindStrategy):
    """See the module."""

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        if not new.get("type"):
            new["type"] = old.get("type", "")
