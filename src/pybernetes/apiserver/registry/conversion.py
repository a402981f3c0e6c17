"""Kinds that are served in more than one group or version, and how their objects translate."""

from __future__ import annotations

from typing import Final

import msgspec

from pybernetes.api.decode import DecodeError, decode
from pybernetes.api.defaults.workloads import TEMPLATE_GENERATION
from pybernetes.api.json_text import read_json
from pybernetes.api.schema import schema_for
from pybernetes.api.tree import Tree
from pybernetes.apiserver.registry.served import Conversion

_EVENT_NAMES: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_REPORTING: Final = ("reportingController", "reportingInstance")
"""Core events tell these even where they are empty."""
_CORE_EVENT_NAMES: Final = {new: old for old, new in _EVENT_NAMES.items()}


def _renamed(obj: Tree, names: dict[str, str], api_version: str) -> Tree:
    made = {names.get(key, key): value for key, value in obj.items()}
    return made | {"apiVersion": api_version} if "apiVersion" in made else made


class EventConversion:
    """events.k8s.io/v1 Events, stored as core ones: the same fields under other names."""

    def to_storage(self, obj: Tree) -> Tree:
        return _renamed(dict.fromkeys(_REPORTING, "") | obj, _CORE_EVENT_NAMES, "v1")

    def from_storage(self, obj: Tree) -> Tree:
        made = _renamed(obj, _EVENT_NAMES, "events.k8s.io/v1")
        for name in _REPORTING:
            if made.get(name) == "":
                del made[name]
        return made


_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"


class AutoscalerConversion:
    """autoscaling/v1 autoscalers, stored as v2: CPU has a field, all else travels in annotations."""

    def to_storage(self, obj: Tree) -> Tree:
        spec = dict(obj.get("spec") or {})
        metadata = dict(obj["metadata"])
        annotations = dict(metadata.get("annotations") or {})
        metrics = _unpacked(annotations.pop(_PREFIX + "metrics", ""), "MetricSpec")
        percentage = spec.pop("targetCPUUtilizationPercentage", None)
        if percentage is not None:
            metrics.append(_cpu_metric({"type": "Utilization", "averageUtilization": percentage}))
        if metrics:
            spec["metrics"] = metrics
        behavior = _unpacked(f"[{annotations.pop(_PREFIX + 'behavior', '')}]", "HorizontalPodAutoscalerBehavior")
        if behavior and behavior[0]:
            spec["behavior"] = behavior[0]
        status = dict(obj.get("status") or {})
        current = status.pop("currentCPUUtilizationPercentage", None)
        current_metrics = _unpacked(annotations.pop(_PREFIX + "current-metrics", ""), "MetricStatus")
        if current is not None:
            current_metrics.append(_cpu_metric({"averageUtilization": current}, key="current"))
        if current_metrics:
            status["currentMetrics"] = current_metrics
        conditions = _unpacked(annotations.pop(_PREFIX + "conditions", ""), "HorizontalPodAutoscalerCondition")
        if conditions:
            status["conditions"] = conditions
        made = {**obj, "metadata": _annotated(metadata, annotations), "spec": spec}
        if status or "status" in obj:
            made["status"] = {"desiredReplicas": 0, "currentMetrics": None, **status}
        return made | {"apiVersion": "autoscaling/v2"} if "apiVersion" in made else made

    def from_storage(self, obj: Tree) -> Tree:
        spec = dict(obj.get("spec") or {})
        status = dict(obj.get("status") or {})
        metadata = dict(obj["metadata"])
        annotations = dict(metadata.get("annotations") or {})
        percentage, others = _split_cpu(spec.pop("metrics", None) or [], "target")
        if percentage is not None:
            spec["targetCPUUtilizationPercentage"] = percentage
        current, current_others = _split_cpu(status.pop("currentMetrics", None) or [], "current")
        if current is not None:
            status["currentCPUUtilizationPercentage"] = current
        packed = {
            "metrics": others,
            "behavior": spec.pop("behavior", None),
            "current-metrics": current_others,
            "conditions": status.pop("conditions", None),
        }
        annotations |= {
            _PREFIX + key: msgspec.json.encode(value).decode()
            for key, value in packed.items()
            if value not in (None, [])
        }
        status.setdefault("currentReplicas", 0)
        made = {**obj, "metadata": _annotated(metadata, annotations), "spec": spec, "status": status}
        return made | {"apiVersion": "autoscaling/v1"} if "apiVersion" in made else made


def _cpu_metric(value: Tree, key: str = "target") -> Tree:
    return {"type": "Resource", "resource": {"name": "cpu", key: value}}


def _split_cpu(metrics: list[Tree], key: str) -> tuple[int | None, list[Tree]]:
    """The CPU utilization that v1 has a field for, and all other metrics."""
    percentage: int | None = None
    others: list[Tree] = []
    for metric in metrics:
        resource = metric.get("resource") or {}
        value = (resource.get(key) or {}).get("averageUtilization")
        if percentage is None and resource.get("name") == "cpu" and value is not None:
            percentage = value
        else:
            others.append(metric)
    return percentage, others


def _annotated(metadata: Tree, annotations: Tree) -> Tree:
    rest = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**rest, "annotations": annotations} if annotations else rest


def _unpacked(text: str, kind: str) -> list[Tree]:
    """The objects of an annotation's JSON list; none where they are not of the kind, as upstream has it."""
    schema = schema_for(f"io.k8s.api.autoscaling.v2.{kind}")
    try:
        found = read_json(text) if text else None
        return [decode(schema, item).tree for item in found] if isinstance(found, list) else []
    except (ValueError, DecodeError):
        return []


_GENERATION: Final = "templateGeneration"


class DaemonSetConversion:
    """Upstream's own form of a DaemonSet counts templates in its spec; clients see an annotation, in whole objects only."""

    def to_storage(self, obj: Tree) -> Tree:
        metadata = dict(obj["metadata"])
        annotations = dict(metadata.get("annotations") or {})
        count = annotations.pop(TEMPLATE_GENERATION, "0")
        spec = {**(obj.get("spec") or {}), _GENERATION: int(count) if count.isdecimal() else 0}
        return {**obj, "metadata": _annotated(metadata, annotations), "spec": spec}

    def from_storage(self, obj: Tree) -> Tree:
        spec = dict(obj.get("spec") or {})
        count = spec.pop(_GENERATION, None)
        if count is None:  # as an upstream server has stored it
            return obj
        annotations = {**(obj["metadata"].get("annotations") or {}), TEMPLATE_GENERATION: str(count)}
        return {**obj, "metadata": _annotated(obj["metadata"], annotations), "spec": spec}


CONVERSIONS: Final[dict[tuple[str, str, str], Conversion]] = {
    ("events.k8s.io", "v1", "events"): EventConversion(),
    ("autoscaling", "v1", "horizontalpodautoscalers"): AutoscalerConversion(),
    ("apps", "v1", "daemonsets"): DaemonSetConversion(),
}
