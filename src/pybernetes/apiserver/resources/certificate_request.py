"""CertificateSigningRequests: who asks is the server's to say; approval and certificate are each written once."""

from __future__ import annotations

from typing import ClassVar

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.strategy import Part
from pybernetes.apiserver.resources.timestamps import now
from pybernetes.apiserver.stages.authenticate.user import to_tree


class CertificateRequestStrategy(KindStrategy):
    """The requester's name, uid, groups and extra are those of the user; the spec never changes."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        spec = new["spec"]
        for name in ("username", "uid", "groups", "extra"):
            spec.pop(name, None)
        spec |= to_tree(ctx.user)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        new["spec"] = old["spec"]


class Approval(Part):
    """Conditions alone."""

    has_table = False

    managed_by: ClassVar[str] = "approval"

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        status = dict(old.get("status") or {})
        given, before = ((tree.get("status") or {}).get("conditions") or [] for tree in (view, old))
        if given or before:
            status["conditions"] = _stamped(ctx, given, before)
        return {**old, "metadata": view["metadata"], "status": status}


class CertificateStatus(Part):
    """The certificate, and conditions that are no decision."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        status = dict(merged.get("status") or {})
        before = (old.get("status") or {}).get("conditions") or []
        if status.get("conditions") or before:
            given = _with_decisions_of(before, status.get("conditions") or [])
            status["conditions"] = _stamped(ctx, given, before)
        return merged | {"status": status}


def _with_decisions_of(before: list[Tree], given: list[Tree]) -> list[Tree]:
    """Approvals and denials as they were; one that is new or gone stays so, for validation to refuse."""
    kept = list(given)
    for kind in ("Approved", "Denied"):
        places = [place for place, entry in enumerate(given) if entry["type"] == kind]
        decisions = [entry for entry in before if entry["type"] == kind]
        if len(places) == len(decisions):
            for place, decision in zip(places, decisions, strict=True):
                kept[place] = decision
    return kept


def _stamped(ctx: RequestContext, conditions: list[Tree], before: list[Tree]) -> list[Tree]:
    known = {entry["type"]: entry for entry in before}
    stamped = []
    for entry in conditions:
        earlier = known.get(entry["type"], {})
        made = {"status": "True"} | entry
        same = earlier.get("status") == made["status"]
        made["lastUpdateTime"] = made.get("lastUpdateTime") or now(ctx)
        moved = earlier.get("lastTransitionTime") if same else None
        made["lastTransitionTime"] = made.get("lastTransitionTime") or moved or now(ctx)
        stamped.append(made)
    return stamped
