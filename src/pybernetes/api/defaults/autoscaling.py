"""Horizontal pod autoscalers, both versions."""

from __future__ import annotations

from typing import Any

from pybernetes.api.defaults.table import Default, fields, set_absent, set_empty
from pybernetes.api.tree import Tree


def _percent_policy() -> Tree:
    return {"type": "Percent", "value": 100, "periodSeconds": 15}


def _cpu_metric() -> list[Any]:
    target = {"type": "Utilization", "averageUtilization": 80}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _spec(spec: Tree) -> None:
    set_absent(spec, "minReplicas", 1)
    set_empty(spec, "metrics", _cpu_metric())


def _version_1(autoscaler: Tree) -> None:
    """Version 1 says what it has no field for in annotations; without a metric there, it aims at CPU."""
    annotations = autoscaler["metadata"].get("annotations") or {}
    if "autoscaling.alpha.kubernetes.io/metrics" not in annotations:
        set_absent(autoscaler["spec"], "targetCPUUtilizationPercentage", 80)


def _behavior(behavior: Tree) -> None:
    """A behavior that says anything gets both directions, each with the rules that hold without a behavior."""
    up = behavior.setdefault("scaleUp", {})
    set_absent(up, "stabilizationWindowSeconds", 0)
    set_absent(up, "selectPolicy", "Max")
    set_absent(up, "policies", [{"type": "Pods", "value": 4, "periodSeconds": 15}, _percent_policy()])
    down = behavior.setdefault("scaleDown", {})
    set_absent(down, "selectPolicy", "Max")
    set_absent(down, "policies", [_percent_policy()])


DEFAULTS: dict[str, Default] = {
    "autoscaling.v1.HorizontalPodAutoscaler": _version_1,
    "autoscaling.v1.HorizontalPodAutoscalerSpec": fields(minReplicas=1),
    "autoscaling.v2.HorizontalPodAutoscalerSpec": _spec,
    "autoscaling.v2.HorizontalPodAutoscalerBehavior": _behavior,
}
