"""Pod disruption budgets."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import (
    label_selector,
    non_negative,
    not_more_than_100_percent,
    positive_int_or_percent,
    shown_selector,
)
from pybernetes.api.validation.conditions import validate_conditions
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable

_SPEC = Path("spec")
_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def _create(budget: Tree) -> Errors:
    spec = budget["spec"]
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        selector = spec.get("selector")
        shown = {
            "MinAvailable": spec["minAvailable"],
            "Selector": None if selector is None else shown_selector(selector),
            "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        yield field.invalid(_SPEC, shown, "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        if spec.get(name) is not None:
            yield from positive_int_or_percent(spec[name], _SPEC.child(name))
            yield from not_more_than_100_percent(spec[name], _SPEC.child(name))
    yield from label_selector(spec.get("selector"), _SPEC.child("selector"))
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _POLICIES:
        yield field.not_supported(_SPEC.child("unhealthyPodEvictionPolicy"), policy, _POLICIES)


def _update_status(new: Tree, old: Tree) -> Errors:
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    status = new.get("status") or {}
    yield from validate_conditions(status.get("conditions") or [], Path("status").child("conditions"))
    yield from non_negative(status, Path("status"), *counts)


RULES: RulesTable = {
    ("policy", "poddisruptionbudgets"): Rules(
        _create,
        name=names.path_segment,
        subresources={"status": _update_status},
        part_looks={"status": (0, 0)},
        metadata_last=True,
        update_looks=0,
        plain_finalizers=True,
    )
}
