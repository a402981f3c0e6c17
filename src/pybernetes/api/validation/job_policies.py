"""When a job counts as failed or as done, by the ends of its pods."""

from __future__ import annotations

import re

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_MAX_RULES, _MAX_PATTERNS, _MAX_CODES = 20, 20, 255
_MAX_INDEXES = 64 * 1024
_NUMBER = re.compile(r"[+]?[0-9]+", re.ASCII)


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
        yield field.invalid(at, codes.get("values"), "at least one value is required")
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
        if spec.get("completions") is not None:
            yield from _validate_success_rule(rule, spec["completions"], at)


def _validate_success_rule(rule: Tree, completions: int, path: Path) -> Errors:
    indexes, count, total = rule.get("succeededIndexes"), rule.get("succeededCount"), 0
    if indexes is not None:
        at = path.child("succeededIndexes")
        if len(indexes.encode()) > _MAX_INDEXES:
            yield field.too_long(at, _MAX_INDEXES)
        try:
            total = count_indexes(indexes, completions)
        except ValueError as error:
            yield field.invalid(at, indexes, f"error parsing succeededIndexes: {error}")
    if count is None:
        return
    at = path.child("succeededCount")
    if count < 0:
        yield field.invalid(at, count, "must be greater than or equal to 0")
    if count > completions:
        detail = f"must be less than or equal to {completions} (the number of specified completions)"
        yield field.invalid(at, count, detail)
    if indexes is not None and count > total:
        detail = (
            f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        )
        yield field.invalid(at, count, detail)


def count_indexes(text: str, completions: int) -> int:
    """How many "0,2-4" names; ValueError, with upstream's words, where they are none of the job's in their order."""
    total, last = 0, -1
    for interval in text.split(",") if text else ():
        ends = interval.split("-")
        if len(ends) > 2:
            raise ValueError(
                f"the fragment {field.quote(interval)} violates the requirement that an index interval can have at most "
                "two parts separated by '-'"
            )
        first, end = _index(ends[0], completions), _index(ends[-1], completions)
        if len(ends) == 2 and first >= end:
            raise ValueError(f"non-increasing order, previous: {first}, current: {end}")
        if last >= first:
            raise ValueError(f"non-increasing order, previous: {last}, current: {first}")
        total, last = total + end - first + 1, end
    return total


def _index(text: str, completions: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"cannot convert string to integer for index: {field.quote(text)}")
    if int(text) >= completions:
        raise ValueError(f"too large index: {field.quote(text)}")
    return int(text)


def _shown_rule(rule: Tree) -> Tree:
    return {"SucceededIndexes": rule.get("succeededIndexes"), "SucceededCount": rule.get("succeededCount")}
