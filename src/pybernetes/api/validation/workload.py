"""What deployments, replica sets, stateful and daemon sets have in common: a selector and a template that it selects."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.selectors import labels
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import (
    immutable,
    is_empty_selector,
    is_wrong_selector,
    label_selector,
    non_negative,
    shown_map,
    shown_selector,
)
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.pod.spec import validate_pod_template

SPEC = Path("spec")
STATUS = Path("status")


def validate_selector(selector: Tree | None, kind: str) -> Errors:
    if selector is None:
        yield field.required(SPEC.child("selector"))
        return
    yield from label_selector(selector, SPEC.child("selector"))
    if is_empty_selector(selector):
        detail = f"empty selector is invalid for {kind}"
        yield field.invalid(SPEC.child("selector"), shown_selector(selector), detail)


def validate_selected_template(
    spec: Tree, *, wrong: str | None = "invalid label selector", kind: str = "ReplicaSet"
) -> Errors:
    """The template of pods that are started again and again, whose labels the selector has to match.

    `wrong` is said where no selector can be made of it: the template is not judged then; None: it always is.
    """
    template, path = spec["template"], SPEC.child("template")
    found = template["metadata"].get("labels") or {}
    if is_wrong_selector(spec.get("selector")) and wrong is not None:
        yield field.invalid(SPEC.child("selector"), shown_selector(spec["selector"]), wrong)
        yield from validate_always_restarts(template, path, kind)
        return
    if not selects(spec.get("selector"), found):
        shown = shown_map(found) or None
        yield field.invalid(path.child("metadata", "labels"), shown, "`selector` does not match template `labels`")
    yield from validate_pod_template(template, path)
    yield from validate_always_restarts(template, path, kind)


def selects(selector: Tree | None, found: dict[str, str]) -> bool:
    """Whether a selector matches: none matches nothing, an empty one all; a wrong selector is told elsewhere."""
    if selector is None:
        return False
    if is_empty_selector(selector) or is_wrong_selector(selector):
        return True
    return labels.from_tree(selector).matches(found)


def validate_always_restarts(template: Tree, path: Path, kind: str) -> Errors:
    policy = template["spec"].get("restartPolicy")
    if policy != "Always":
        yield field.not_supported(path.child("spec", "restartPolicy"), policy, ("Always",))
    if template["spec"].get("activeDeadlineSeconds") is not None:
        at = path.child("spec", "activeDeadlineSeconds")
        yield field.forbidden(at, f"activeDeadlineSeconds in {kind} is not Supported")


def validate_same_selector(new: Tree, old: Tree) -> Errors:
    selector = new["spec"].get("selector")
    shown = shown_selector(selector) if selector else None
    yield from immutable(selector, old["spec"].get("selector"), SPEC.child("selector"), shown)


_UNBOUNDED = ("replicas", "unavailableReplicas", "terminatingReplicas")


def validate_replica_counts(status: Tree, *fields: str, ready_called: str = "readyReplicas") -> Errors:
    """Counts of a status: none is negative, none larger than `replicas`; `ready_called` is for messages."""
    yield from non_negative(status, STATUS, *fields, "observedGeneration", "collisionCount")
    total = status.get("replicas", 0)
    for name in fields:
        if name not in _UNBOUNDED and status.get(name, 0) > total:
            detail = "cannot be greater than status.replicas"
            yield field.invalid(STATUS.child(name), status.get(name, 0), detail)
    ready, available = status.get("readyReplicas", 0), status.get("availableReplicas", 0)
    if available > ready:
        yield field.invalid(STATUS.child("availableReplicas"), available, f"cannot be greater than {ready_called}")


def validate_collision_count(new: Tree, old: Tree) -> Errors:
    """A count of collisions only grows."""
    now, before = new["status"].get("collisionCount"), old["status"].get("collisionCount")
    if before is not None and (now is None or now < before):
        yield field.invalid(STATUS.child("collisionCount"), now or 0, "cannot be decremented")
