"""The status of a definition. Its names are those that no earlier definition of its group has. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from pybernetes.api.tree import Tree
from pybernetes.api.validation.custom_resource_definition import (
    APPROVED,
    NEEDS_APPROVAL,
    WRONG_APPROVAL,
    has_bad_bundle,
    is_protected,
)

NO_CONFLICTS = ("True", "NoConflicts", "no conflicts found")
ESTABLISHED = ("True", "InitialNamesAccepted", "the initial names have been accepted")
BAD_BUNDLE = ("False", "InvalidCABundle", "The conversion webhook CABundle is invalid")
DELETION_PENDING = (
    "True",
    "InstanceDeletionPending",
    "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
)
NOT_ACCEPTED = ("False", "NotAccepted", "not all names are accepted")
_CHECKS = (
    ("plural", "PluralConflict"),
    ("singular", "SingularConflict"),
    ("shortNames", "ShortNamesConflict"),
    ("kind", "KindConflict"),
    ("listKind", "ListKindConflict"),
)


def new_status(definition: Tree, others: Iterable[Tree], now: str) -> Tree:
    """The status of a definition, given the other definitions of its group."""
    spec, status = definition["spec"], definition.get("status") or {}
    accepted = status.get("acceptedNames") or {}
    conditions = list(status.get("conditions") or [])
    if accepted != spec["names"]:  # names that it has got are not asked about again
        accepted, verdict = _accept(spec["names"], accepted, others)
        set_condition(conditions, "NamesAccepted", verdict, now)
    _judge_approval(definition, conditions, now)
    states = {one["type"]: one["status"] for one in conditions}
    if states.get("Established") != "True" and "NamesAccepted" in states:
        established = BAD_BUNDLE if has_bad_bundle(definition) else ESTABLISHED
        has_all = states["NamesAccepted"] == "True"
        set_condition(conditions, "Established", established if has_all else NOT_ACCEPTED, now)
    return {
        "conditions": conditions or status.get("conditions"),
        "acceptedNames": accepted,
        "storedVersions": stored_versions(spec, status),
    }


def stored_versions(spec: Tree, status: Tree) -> list[str]:
    """The versions in which objects may be stored."""
    stored = list(status.get("storedVersions") or [])
    return stored + [
        one["name"] for one in spec.get("versions") or [] if one.get("storage") and one["name"] not in stored
    ]


def _judge_approval(definition: Tree, conditions: list[Tree], now: str) -> None:
    """Names of the project's own domains are for what the project has approved (KEP-1111)."""
    if not is_protected(definition["spec"]["group"]):
        return
    value = (definition["metadata"].get("annotations") or {}).get(APPROVED, "")
    url = urlsplit(value)
    if not value:
        verdict = ("False", "MissingAnnotation", NEEDS_APPROVAL)
    elif value.startswith("unapproved"):
        verdict = ("False", "UnapprovedAnnotation", f'not approved: "{value}"')
    elif url.scheme and url.netloc:
        verdict = ("True", "ApprovedAnnotation", f"approved in {value}")
    else:
        verdict = ("False", "InvalidAnnotation", WRONG_APPROVAL)
    set_condition(conditions, "KubernetesAPIApprovalPolicyConformant", verdict, now)


def is_established(definition: Tree) -> bool:
    return _is(definition, "Established")


def has_names(definition: Tree) -> bool:
    """Whether it got all the names that it wants."""
    return _is(definition, "NamesAccepted")


def is_terminating(definition: Tree) -> bool:
    """Whether its objects are being deleted: none can be made any more."""
    return _is(definition, "Terminating")


def is_ending(definition: Tree) -> bool:
    """Whether their deletion is no longer just to come."""
    conditions = (definition.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Terminating" and one.get("reason") != DELETION_PENDING[1] for one in conditions)


def _is(definition: Tree, condition: str) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or []
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)


def _accept(wanted: Tree, held: Tree, others: Iterable[Tree]) -> tuple[Tree, tuple[str, str, str]]:
    """The names that can be had, and the words about those that cannot."""
    taken_names, taken_kinds = _taken(others)
    accepted: dict[str, Any] = dict(held)
    verdict = NO_CONFLICTS
    for key, reason in _CHECKS:
        taken = taken_kinds if key in ("kind", "listKind") else taken_names
        value = wanted.get(key)
        values = value if isinstance(value, list) else [value] if value else []
        clashes = [one for one in values if one in taken]
        if clashes:
            shown = ", ".join(f'"{one}" is already in use' for one in clashes)
            shown = shown if len(clashes) == 1 else f"[{shown}]"
            verdict = ("False", reason, shown)
        elif value:
            accepted[key] = value
    if wanted.get("categories"):
        accepted["categories"] = wanted["categories"]
    accepted.setdefault("plural", "")
    accepted.setdefault("kind", "")
    return accepted, verdict


def _taken(others: Iterable[Tree]) -> tuple[set[str], set[str]]:
    names: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        held = (other.get("status") or {}).get("acceptedNames") or {}
        names |= {held.get("plural", ""), held.get("singular", ""), *(held.get("shortNames") or [])}
        kinds |= {held.get("kind", ""), held.get("listKind", "")}
    return names - {""}, kinds - {""}


def set_condition(conditions: list[Tree], kind: str, verdict: tuple[str, str, str], now: str) -> None:
    status, reason, message = verdict
    made = {"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}
    for index, old in enumerate(conditions):
        if old["type"] == kind:
            if old["status"] == status:
                made["lastTransitionTime"] = old["lastTransitionTime"]
            conditions[index] = made
            return
    conditions.append(made)
