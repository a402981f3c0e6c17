"""Conditions of the form that most kinds share (metav1.Condition)."""

from __future__ import annotations

import re
from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain

STATUSES: Final = ("False", "True", "Unknown")
REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
REASON_COMPLAINT = names.regex_complaint(
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'",
    REASON, "my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB",
)  # fmt: skip
MAX_REASON, MAX_MESSAGE = 1024, 32 * 1024


def validate_conditions(conditions: list[Tree], path: Path) -> Errors:
    taken: set[str] = set()
    for index, condition in enumerate(conditions):
        at, kind = path.index(index), condition.get("type", "")
        if kind in taken:
            yield field.duplicate(at.child("type"), kind)
        taken.add(kind)
        yield from _validate_condition(condition, at)


def _validate_condition(condition: Tree, path: Path) -> Errors:
    kind, status, reason = (condition.get(name) or "" for name in ("type", "status", "reason"))
    yield from complain(path.child("type"), kind, names.qualified_name(kind))
    if status not in STATUSES:
        yield field.not_supported(path.child("status"), status, STATUSES)
    generation = condition.get("observedGeneration", 0)
    if generation < 0:
        yield field.invalid(path.child("observedGeneration"), generation, "must be greater than or equal to zero")
    if not condition.get("lastTransitionTime"):
        yield field.required(path.child("lastTransitionTime"))
    if not reason:
        yield field.required(path.child("reason"))
    elif not re.fullmatch(REASON, reason):
        yield field.invalid(path.child("reason"), reason, REASON_COMPLAINT)
    for name, limit in (("reason", MAX_REASON), ("message", MAX_MESSAGE)):
        if len((condition.get(name) or "").encode()) > limit:
            yield field.too_long(path.child(name), limit)
