"""Deployments."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import (
    non_negative,
    not_more_than_100_percent,
    percent_of,
    positive_int_or_percent,
)
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.workload import (
    SPEC,
    validate_collision_count,
    validate_replica_counts,
    validate_same_selector,
    validate_selected_template,
    validate_selector,
)


def _create(deployment: Tree) -> Errors:
    spec = deployment["spec"]
    yield from non_negative(spec, SPEC, "replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from validate_selector(spec.get("selector"), "deployment")
    yield from validate_selected_template(spec)
    yield from _validate_strategy(spec["strategy"], SPEC.child("strategy"))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        yield from non_negative(spec, SPEC, "progressDeadlineSeconds")
        if deadline <= spec.get("minReadySeconds", 0):
            detail = "must be greater than minReadySeconds"
            yield field.invalid(SPEC.child("progressDeadlineSeconds"), deadline, detail)


def _validate_strategy(strategy: Tree, path: Path) -> Errors:
    rolling = strategy.get("rollingUpdate")
    kind = strategy.get("type", "")
    if kind == "Recreate":
        if rolling is not None:
            yield field.forbidden(
                path.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'"
            )
    elif kind == "RollingUpdate":
        if rolling is None:
            yield field.required(path.child("rollingUpdate"), "this should be defaulted and never be nil")
        else:
            yield from validate_rolling_update(rolling, path.child("rollingUpdate"))
    else:
        wrong = field.not_supported(path, "", ("Recreate", "RollingUpdate"))
        shown = {"Type": kind, "RollingUpdate": shown_rolling_update(rolling)}
        yield field.FieldError(wrong.kind, wrong.field, shown, wrong.detail)


def shown_rolling_update(rolling: Tree | None) -> Tree | None:
    """As messages show it."""
    if rolling is None:
        return None
    return {"MaxUnavailable": rolling.get("maxUnavailable"), "MaxSurge": rolling.get("maxSurge")}


def validate_rolling_update(rolling: Tree, path: Path) -> Errors:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    yield from positive_int_or_percent(unavailable, path.child("maxUnavailable"))
    yield from positive_int_or_percent(surge, path.child("maxSurge"))
    if _is_zero(unavailable) and _is_zero(surge):
        yield field.invalid(path.child("maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0")
    yield from not_more_than_100_percent(unavailable, path.child("maxUnavailable"))


def _is_zero(value: int | str) -> bool:
    return value == 0 or percent_of(value) == 0


def _update(new: Tree, old: Tree) -> Errors:
    yield from validate_same_selector(new, old)


def _update_status(new: Tree, old: Tree) -> Errors:
    counts = (
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
    )
    yield from validate_replica_counts(new["status"], *counts)
    yield from validate_collision_count(new, old)


RULES: RulesTable = {
    ("apps", "deployments"): Rules(_create, _update, subresources={"status": _update_status}),
}
