"""Flow schemas and priority levels."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable, Tree

_GROUP = "flowcontrol.apiserver.k8s.io"
_SPEC = Path("spec")
_MAX_PRECEDENCE = 10000
_SUBJECTS = ("Group", "ServiceAccount", "User")


def _schema(schema: Tree) -> Errors:
    spec = schema["spec"]
    precedence = spec.get("matchingPrecedence", 0)
    if precedence <= 0:
        yield field.invalid(_SPEC.child("matchingPrecedence"), precedence, "must be a positive value")
    if precedence > _MAX_PRECEDENCE:
        detail = f"must not be greater than {_MAX_PRECEDENCE}"
        yield field.invalid(_SPEC.child("matchingPrecedence"), precedence, detail)
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in ("ByNamespace", "ByUser"):
        path = _SPEC.child("distinguisherMethod").child("type")
        yield field.not_supported(path, method.get("type", ""), ("ByNamespace", "ByUser"))
    if not (spec.get("priorityLevelConfiguration") or {}).get("name"):
        yield field.required(_SPEC.child("priorityLevelConfiguration", "name"), "must reference a priority level")
    for index, rule in enumerate(spec.get("rules") or ()):
        yield from _validate_rule(rule, _SPEC.child("rules").index(index))


def _validate_rule(rule: Tree, path: Path) -> Errors:
    subjects = rule.get("subjects") or []
    if not subjects:
        yield field.required(path.child("subjects"), "subjects must contain at least one value")
    for index, subject in enumerate(subjects):
        if subject["kind"] not in _SUBJECTS:
            yield field.not_supported(path.child("subjects").index(index).child("kind"), subject["kind"], _SUBJECTS)
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        detail = "at least one of resourceRules and nonResourceRules has to be non-empty"
        yield field.required(path, detail)


def _level(level: Tree) -> Errors:
    spec = level["spec"]
    kind, limited = spec.get("type", ""), spec.get("limited")
    if kind == "Exempt":
        if limited is not None:
            yield field.forbidden(_SPEC.child("limited"), "must be nil if the type is Exempt")
    elif kind == "Limited":
        if limited is None:
            yield field.required(_SPEC.child("limited"), "must not be empty when type is Limited")
        else:
            yield from _validate_limited(limited, _SPEC.child("limited"))
    else:
        yield field.not_supported(_SPEC.child("type"), kind, ("Exempt", "Limited"))


def _validate_limited(limited: Tree, path: Path) -> Errors:
    shares = limited.get("nominalConcurrencyShares", 0)
    if shares < 0:
        yield field.invalid(path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer")
    lendable = limited.get("lendablePercent")
    if lendable is not None and not 0 <= lendable <= 100:
        yield field.invalid(path.child("lendablePercent"), lendable, "must be between 0 and 100, inclusive")
    response = limited.get("limitResponse") or {}
    at = path.child("limitResponse")
    kind, queuing = response.get("type", ""), response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            yield field.forbidden(at.child("queuing"), "must be nil if limited.limitResponse.type is not Limited")
    elif kind == "Queue":
        if queuing is None:
            detail = "must not be empty if limited.limitResponse.type is Limited"
            yield field.required(at.child("queuing"), detail)
        else:
            yield from _validate_queuing(queuing, at.child("queuing"))
    elif not kind:
        yield field.required(at.child("type"))
    else:
        yield field.not_supported(at.child("type"), kind, ("Queue", "Reject"))


def _validate_queuing(queuing: Tree, path: Path) -> Errors:
    queues, hands = queuing.get("queues", 0), queuing.get("handSize", 0)
    if queues <= 0:
        yield field.invalid(path.child("queues"), queues, "must be positive")
    if hands <= 0:
        yield field.invalid(path.child("handSize"), hands, "must be positive")
    elif hands > queues:
        detail = f"should not be greater than queues ({queues})"
        yield field.invalid(path.child("handSize"), hands, detail)
    if queuing.get("queueLengthLimit", 0) <= 0:
        yield field.invalid(path.child("queueLengthLimit"), queuing.get("queueLengthLimit", 0), "must be positive")


RULES: RulesTable = {
    (_GROUP, "flowschemas"): Rules(_schema),
    (_GROUP, "prioritylevelconfigurations"): Rules(_level),
}
