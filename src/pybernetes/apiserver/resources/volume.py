"""PersistentVolumes and claims: their first phase."""

from __future__ import annotations

from pybernetes.apiserver.context import RequestContext, Tree
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.strategy import Part
from pybernetes.apiserver.resources.timestamps import now


class VolumeStrategy(KindStrategy):
    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        return {"phase": "Pending", "lastPhaseTransitionTime": now(ctx)}


class ClaimStrategy(KindStrategy):
    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        return {"phase": "Pending"}


class VolumeStatus(Part):
    """A new phase is stamped with the time of its change."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        status, before = dict(merged.get("status") or {}), old.get("status") or {}
        if status.get("phase") != before.get("phase"):
            status["lastPhaseTransitionTime"] = now(ctx)
        elif "lastPhaseTransitionTime" in before:
            status.setdefault("lastPhaseTransitionTime", before["lastPhaseTransitionTime"])
        return merged | {"status": status}
