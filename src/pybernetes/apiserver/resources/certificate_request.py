"""CertificateSigningRequests: who asks is the server's to say; approval and certificate are each written once."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import ClassVar

from cryptography import x509

from pybernetes.api import field
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.context import RequestContext, Tree
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.strategy import Part
from pybernetes.apiserver.resources.timestamps import now
from pybernetes.apiserver.stages.authenticate.user import to_tree

DECISIONS = ("Approved", "Denied")
CONDITIONS = Path("status").child("conditions")
CERTIFICATE = Path("status").child("certificate")


@dataclass(slots=True)
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

    managed_by: ClassVar[str] = "approval"

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        status = dict(old.get("status") or {})
        conditions = (view.get("status") or {}).get("conditions")
        status["conditions"] = _stamped(ctx, conditions or [], status.get("conditions") or [])
        return {**old, "metadata": view["metadata"], "status": status}

    def validate(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        return _condition_errors(new, old, may_decide=True)


class CertificateStatus(Part):
    """The certificate, and conditions that are no decision."""

    def merge(self, ctx: RequestContext, view: Tree, old: Tree) -> Tree:
        merged = Part.merge(self, ctx, view, old)
        status = dict(merged.get("status") or {})
        before = (old.get("status") or {}).get("conditions") or []
        if status.get("conditions") or before:
            status["conditions"] = _stamped(ctx, status.get("conditions") or [], before)
        return merged | {"status": status}

    def validate(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        return [*_condition_errors(new, old, may_decide=False), *_certificate_errors(new, old)]


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


def _condition_errors(new: Tree, old: Tree, *, may_decide: bool) -> list[FieldError]:
    after = [entry["type"] for entry in (new.get("status") or {}).get("conditions") or ()]
    before = [entry["type"] for entry in (old.get("status") or {}).get("conditions") or ()]
    errors: list[FieldError] = []
    for kind in before:
        if kind not in after and kind in (*DECISIONS, "Failed"):
            errors.append(field.forbidden(CONDITIONS, f'updates may not remove a condition of type "{kind}"'))
    for kind in after:
        if kind not in before and kind in DECISIONS and not may_decide:
            errors.append(field.forbidden(CONDITIONS, f'updates may not add a condition of type "{kind}"'))
    decided = [kind for kind in after if kind in DECISIONS]
    if len(set(decided)) > 1:
        errors.append(field.invalid(CONDITIONS, decided[1], "Approved and Denied conditions are mutually exclusive"))
    return errors


def _certificate_errors(new: Tree, old: Tree) -> list[FieldError]:
    after = (new.get("status") or {}).get("certificate") or ""
    before = (old.get("status") or {}).get("certificate") or ""
    if after == before:
        return []
    if before:
        return [field.forbidden(CERTIFICATE, "updates may not modify existing certificate content")]
    shown = "<certificate data>"
    try:
        if not x509.load_pem_x509_certificates(base64.b64decode(after)):
            return [field.invalid(CERTIFICATE, shown, "must contain at least one CERTIFICATE PEM block")]
    except ValueError:
        return [field.invalid(CERTIFICATE, shown, "must contain at least one CERTIFICATE PEM block")]
    return []
