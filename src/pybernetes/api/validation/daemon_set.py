"""Daemon sets."""

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
from pybernetes.api.validation.deployment import shown_rolling_update
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.workload import (
    SPEC,
    STATUS,
    validate_collision_count,
    validate_same_selector,
    validate_selected_template,
    validate_selector,
)


def _create(daemon_set: Tree) -> Errors:
    spec = daemon_set["spec"]
    if spec.get("selector") is not None:
        yield from validate_selector(spec["selector"], "daemonset")
    yield from validate_selected_template(spec, wrong=None, kind="DaemonSet")
    yield from non_negative(spec, SPEC, "minReadySeconds", "revisionHistoryLimit")
    yield from _validate_strategy(spec["updateStrategy"], SPEC.child("updateStrategy"))


def _validate_strategy(strategy: Tree, path: Path) -> Errors:
    kind = strategy.get("type", "")
    if kind == "OnDelete":
        return
    if kind != "RollingUpdate":
        wrong = field.not_supported(path, "", ("RollingUpdate", "OnDelete"))
        shown = {"Type": kind, "RollingUpdate": shown_rolling_update(strategy.get("rollingUpdate"))}
        yield field.FieldError(wrong.kind, wrong.field, shown, wrong.detail)
    elif strategy.get("rollingUpdate") is None:
        yield field.required(path.child("rollingUpdate"))
    else:
        yield from _validate_rolling_update(strategy["rollingUpdate"], path.child("rollingUpdate"))


def _validate_rolling_update(rolling: Tree, path: Path) -> Errors:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    for name, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        yield from positive_int_or_percent(value, path.child(name))
        yield from not_more_than_100_percent(value, path.child(name))
    # What is no number and no percentage counts as none.
    zero = [value == 0 or (isinstance(value, str) and not percent_of(value)) for value in (unavailable, surge)]
    if not any(zero):
        yield field.invalid(path.child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero")
    elif all(zero):
        yield field.required(path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0")


def _update_status(new: Tree, old: Tree) -> Errors:
    counts = (
        "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
        "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
    )  # fmt: skip
    yield from non_negative(new["status"], STATUS, *counts)
    yield from validate_collision_count(new, old)


RULES: RulesTable = {
    ("apps", "daemonsets"): Rules(_create, validate_same_selector, subresources={"status": _update_status}),
}
