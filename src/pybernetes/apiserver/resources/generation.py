"""Kinds whose generation grows by other rules than that of a changed spec."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.resources.kind import KindStrategy


class DeploymentStrategy(KindStrategy):
    """Annotations count too: the controller copies them to the ReplicaSets."""

    def bumps_generation(self, new: Tree, old: Tree) -> bool:
        after, before = (each["metadata"].get("annotations") or {} for each in (new, old))
        return new.get("spec") != old.get("spec") or after != before


class PriorityClassStrategy(KindStrategy):
    """Nothing that a controller would have to observe can change."""

    def bumps_generation(self, new: Tree, old: Tree) -> bool:
        return False
