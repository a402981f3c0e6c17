"""When a job counts as failed or as done, by the ends of its pods."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_MAX_RULES, _MAX_PATTERNS, _MAX_CODES = 20, 20, 255


def validate_failure_policy(spec: Tree, path: Path) -> Errors:
    rules = spec["podFailurePolicy"].get("rules") or []
    if len(rules) > _MAX_RULES:
        yield field.too_many(path.child("rules"), len(rules), _MAX_RULES)
    template = spec["template"]["spec"]
    known = {one["name"] for kind in ("containers", "initContainers") for one in template.get(kind) or ()}
    for index, rule in enumerate(rules):
        yield from _validate_rule(rule, spec, known, path.child("rules").index(index))


def _validate_rule(rule: Tree, spec: Tree, known: set[str], path: Path) -> Errors:
    action = rule.get("action", "")
    if not action:
        yield field.required(path.child("action"), f"valid values: [{' '.join(field.quote(one) for one in _ACTIONS)}]")
    elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        yield field.invalid(path.child("action"), action, "requires the backoffLimitPerIndex to be set")
    elif action not in _ACTIONS:
        yield field.not_supported(path.child("action"), action, _ACTIONS)
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        yield from _validate_codes(codes, known, path.child("onExitCodes"))
    if conditions:
        yield from _validate_conditions(conditions, path.child("onPodConditions"))
    if codes is not None and conditions:
        yield field.invalid(path, field.OMITTED, "specifying both OnExitCodes and OnPodConditions is not supported")
    if codes is None and not conditions:
        yield field.invalid(path, field.OMITTED, "specifying one of OnExitCodes and OnPodConditions is required")


def _validate_codes(codes: Tree, known: set[str], path: Path) -> Errors:
    operator, values = codes.get("operator", ""), codes.get("values") or []
    if not operator:
        yield field.required(path.child("operator"), 'valid values: ["In" "NotIn"]')
    elif operator not in ("In", "NotIn"):
        yield field.not_supported(path.child("operator"), operator, ("In", "NotIn"))
    name = codes.get("containerName")
    if name is not None and name not in known:
        yield field.invalid(
            path.child("containerName"), name, "must be one of the container or initContainer names in the pod template"
        )
    at = path.child("values")
    if not values:
        yield field.invalid(at, values or None, "at least one value is required")
    elif len(values) > _MAX_CODES:
        yield field.too_many(at, len(values), _MAX_CODES)
    for index, value in enumerate(values):
        if value == 0 and operator == "In":
            yield field.invalid(at.index(index), value, "must not be 0 for the In operator")
        if value in values[:index]:
            yield field.duplicate(at.index(index), value)
    if values != sorted(values):
        yield field.invalid(at, values, "must be ordered")


def _validate_conditions(conditions: list[Tree], path: Path) -> Errors:
    if len(conditions) > _MAX_PATTERNS:
        yield field.too_many(path, len(conditions), _MAX_PATTERNS)
    for index, pattern in enumerate(conditions):
        at = path.index(index)
        yield from complain(at.child("type"), pattern["type"], names.qualified_name(pattern["type"]))
        status = pattern.get("status", "")
        if not status:
            yield field.required(at.child("status"), 'valid values: "False", "True", "Unknown"')
        elif status not in ("False", "True", "Unknown"):
            yield field.not_supported(at.child("status"), status, ("False", "True", "Unknown"))


def validate_success_policy(spec: Tree, path: Path) -> Errors:
    policy = spec["successPolicy"]
    rules = policy.get("rules") or []
    if spec.get("completionMode") != "Indexed":
        shown = {"Rules": [_shown_rule(rule) for rule in rules]}
        yield field.invalid(path, shown, "requires indexed completion mode")
        return
    if not rules:
        yield field.required(
            path.child("rules"), "at least one rules must be specified when the successPolicy is specified"
        )
    elif len(rules) > _MAX_RULES:
        yield field.too_many(path.child("rules"), len(rules), _MAX_RULES)
    for index, rule in enumerate(rules):
        at = path.child("rules").index(index)
        if rule.get("succeededCount") is None and rule.get("succeededIndexes") is None:
            yield field.required(at, "at least one of succeededCount or succeededIndexes must be specified")
        count = rule.get("succeededCount")
        if count is not None and count < 0:
            yield field.invalid(at.child("succeededCount"), count, "must be greater than or equal to 0")


def _shown_rule(rule: Tree) -> Tree:
    return {"SucceededIndexes": rule.get("succeededIndexes"), "SucceededCount": rule.get("succeededCount")}
