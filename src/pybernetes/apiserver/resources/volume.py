"""PersistentVolumes and claims: their first phase."""

from __future__ import annotations

from typing import Final

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.strategy import Part
from pybernetes.apiserver.resources.timestamps import now


class VolumeStrategy(KindStrategy):
    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        return {"phase": "Pending", "lastPhaseTransitionTime": now(ctx)}


_POPULATORS: Final = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
"""(group, kind) of what a claim's `dataSource` may name; `dataSourceRef` may name anything."""


class ClaimStrategy(KindStrategy):
    """The two fields for what a volume is filled with say the same, whichever the client has set."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        spec = new["spec"]
        _drop_strange(spec)
        ref = spec.get("dataSourceRef")
        if ref is not None and ref.get("namespace"):  # across namespaces: not at this API level
            del spec["dataSourceRef"]
        _agree(spec)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        if old["spec"].get("dataSource") is None:
            _drop_strange(new["spec"])
        _agree(new["spec"])

    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        return {"phase": "Pending"}

    def is_completed(self, created: Tree) -> bool:
        return True  # the first phase is a default


def _drop_strange(spec: Tree) -> None:
    source = spec.get("dataSource")
    if source is not None and ((source.get("apiGroup") or ""), source.get("kind")) not in _POPULATORS:
        del spec["dataSource"]


def _agree(spec: Tree) -> None:
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and ref is None:
        spec["dataSourceRef"] = dict(source)
    elif ref is not None and source is None and not ref.get("namespace"):
        spec["dataSource"] = dict(ref)


class VolumeStatus(Part):
    """A new phase is stamped with the time of its change."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        status, before = dict(merged.get("status") or {}), old.get("status") or {}
        changed, told = status.get("phase") != before.get("phase"), status.get("lastPhaseTransitionTime")
        if changed and told in (None, before.get("lastPhaseTransitionTime")):
            status["lastPhaseTransitionTime"] = now(ctx)
        elif not changed and "lastPhaseTransitionTime" in before:
            status.setdefault("lastPhaseTransitionTime", before["lastPhaseTransitionTime"])
        return merged | {"status": status}
