"""autoscaling/v1 autoscalers, stored as v2: CPU has a field, all else travels in annotations.

What stands in the annotations is v1's own form of metrics and statuses, and of the behavior the names of upstream's Go
types: an upstream server, and clients that have kept an object of v1, read the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pybernetes.api.decode import DecodeError, decode
from pybernetes.api.field import go_json
from pybernetes.api.json_text import read_json
from pybernetes.api.schema import schema_for
from pybernetes.api.tree import Tree

_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
METRICS: Final = _PREFIX + "metrics"
CURRENT_METRICS: Final = _PREFIX + "current-metrics"
BEHAVIOR: Final = _PREFIX + "behavior"
CONDITIONS: Final = _PREFIX + "conditions"
CARRIERS: Final = frozenset((
    METRICS, CURRENT_METRICS, BEHAVIOR, CONDITIONS, _PREFIX + "scale-down-tolerance", _PREFIX + "scale-up-tolerance",
))  # fmt: skip
_UTILIZATION: Final = 80
"""Per cent of the requested CPU, where v1 names no metric at all."""
_SOURCES: Final = ("object", "pods", "resource", "containerResource", "external")
_AMOUNTS: Final = ("value", "averageValue", "averageUtilization")


class AutoscalerConversion:
    """See the module."""

    def to_storage(self, obj: Tree) -> Tree:
        spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
        annotations = dict(obj["metadata"].get("annotations") or {})
        metrics = _unpacked(annotations.get(METRICS), "MetricSpec", lambda one: _metric(one, "target", "Target"))
        utilization = spec.pop("targetCPUUtilizationPercentage", None)
        if utilization is None and not metrics:
            utilization = _UTILIZATION
        if utilization is not None:
            metrics = [*(metrics or ()), _cpu_metric({"type": "Utilization", "averageUtilization": utilization})]
        spec["metrics"] = metrics
        if behavior := _behavior(annotations.get(BEHAVIOR)):
            spec["behavior"] = behavior
        current = status.pop("currentCPUUtilizationPercentage", None)
        current_metrics = _unpacked(
            annotations.get(CURRENT_METRICS), "MetricStatus", lambda one: _metric(one, "current", "Current")
        )
        if current_metrics is None and current is not None:
            current_metrics = [_cpu_metric({"averageUtilization": current}, key="current")]
        if current_metrics:
            status["currentMetrics"] = current_metrics
        if conditions := _unpacked(annotations.get(CONDITIONS), "HorizontalPodAutoscalerCondition", dict):
            status["conditions"] = conditions
        made = {**obj, "metadata": _annotated(obj["metadata"], _without_carriers(annotations)), "spec": spec}
        if status or "status" in obj:
            made["status"] = {"desiredReplicas": 0, "currentMetrics": None, **status}
        return made | {"apiVersion": "autoscaling/v2"} if "apiVersion" in made else made

    def from_storage(self, obj: Tree) -> Tree:
        spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
        metrics, current = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
        behavior, conditions = spec.pop("behavior", None), status.pop("conditions", None)
        cpu = [metric["resource"]["target"]["averageUtilization"] for metric in metrics if _is_cpu(metric, "target")]
        if cpu:
            spec["targetCPUUtilizationPercentage"] = cpu[0]
        used = [metric["resource"]["current"]["averageUtilization"] for metric in current if _is_cpu(metric, "current")]
        if used:
            status["currentCPUUtilizationPercentage"] = used[-1]
        annotations = _without_carriers(obj["metadata"].get("annotations") or {})
        packed = {
            METRICS: [_old_metric(metric, "target") for metric in metrics if not _is_cpu(metric, "target")],
            CURRENT_METRICS: [_old_metric(metric, "current") for metric in current],
            CONDITIONS: conditions,
        }
        annotations |= {key: go_json(value) for key, value in packed.items() if value}
        if behavior is not None:
            annotations[BEHAVIOR] = go_json({"ScaleUp": _old_rules(behavior, "scaleUp"), "ScaleDown": _old_rules(behavior, "scaleDown")})  # fmt: skip
        status.setdefault("currentReplicas", 0)
        made = {**obj, "metadata": _annotated(obj["metadata"], annotations), "spec": spec, "status": status}
        return made | {"apiVersion": "autoscaling/v1"} if "apiVersion" in made else made


class PlainAutoscalers:
    """autoscaling/v2: what v1 keeps in annotations has fields here, and no place beside them."""

    def to_storage(self, obj: Tree) -> Tree:
        annotations = obj["metadata"].get("annotations") or {}
        if CARRIERS.isdisjoint(annotations):
            return obj
        return {**obj, "metadata": _annotated(obj["metadata"], _without_carriers(annotations))}

    def from_storage(self, obj: Tree) -> Tree:
        return obj


def _cpu_metric(value: Tree, key: str = "target") -> Tree:
    return {"type": "Resource", "resource": {"name": "cpu", key: value}}


def _is_cpu(metric: Tree, key: str) -> bool:
    """Whether v1 has a field for the metric."""
    resource = metric.get("resource") or {}
    is_named = metric.get("type") == "Resource" and resource.get("name") == "cpu"
    return is_named and (resource.get(key) or {}).get("averageUtilization") is not None


def _without_carriers(annotations: Tree) -> Tree:
    return {key: value for key, value in annotations.items() if key not in CARRIERS}


def _annotated(metadata: Tree, annotations: Tree) -> Tree:
    rest = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**rest, "annotations": annotations} if annotations else rest


# From v1 to v2.


def _unpacked(text: str | None, kind: str, convert: Callable[[Tree], Tree]) -> list[Tree] | None:
    """The objects of an annotation's JSON list; None where there is none, or they are not of the kind."""
    if text is None:
        return None
    schema = schema_for(f"io.k8s.api.autoscaling.v2.{kind}")
    try:
        found = read_json(text)
        items: list[Any] = [] if found is None else found if isinstance(found, list) else [found]
        return [decode(schema, convert(item or {})).tree for item in items]
    except (ValueError, DecodeError, TypeError, AttributeError):
        return None


def _metric(old: Tree, key: str, word: str) -> Tree:
    """A metric of v1 as v2 has it; `key` is where v2 has the amount, `word` begins the names of amounts in v1."""
    made: Tree = {"type": old.get("type") or ""}
    for source in _SOURCES:
        if isinstance(held := old.get(source), dict):
            made[source] = _source(source, held, key, word.lower())
    return made


def _source(source: str, old: Tree, key: str, word: str) -> Tree:
    made: Tree = {}
    if source in ("resource", "containerResource"):
        made |= {name: old[name] for name in ("name", "container") if name in old}
    else:
        selector = old.get("metricSelector" if source == "external" else "selector")
        made["metric"] = {"name": old.get("metricName") or "", **({} if selector is None else {"selector": selector})}
    if source == "object":
        made["describedObject"] = old.get("target") or {}
        average = old.get("averageValue")
    else:
        average = old.get(f"{word}AverageValue")
    value, utilization = old.get(f"{word}Value"), old.get(f"{word}AverageUtilization")
    # What is no pointer in v1 is always there.
    if (source == "object" and (key == "current" or average is None)) or (source == "external" and key == "current"):
        value = value or "0"
    elif source == "object" and value in ("0", 0):
        value = None
    if source == "pods" or (key == "current" and source in ("resource", "containerResource")):
        average = average or "0"
    amounts = dict(zip(_AMOUNTS, (value, average, utilization), strict=True))
    made[key] = {name: amount for name, amount in amounts.items() if amount is not None}
    if key == "target":
        made[key]["type"] = _target_type(source, value, average, utilization)
    return made


def _target_type(source: str, value: Any, average: Any, utilization: Any) -> str:
    if source in ("resource", "containerResource"):
        return "AverageValue" if utilization is None else "Utilization"
    if source == "object":
        return "Value" if average is None else "AverageValue"
    return "AverageValue" if source == "pods" or value is None else "Value"


def _behavior(text: str | None) -> Tree | None:
    """The behavior of an annotation, whose fields are called as Go calls them, in letters of any case."""
    if text is None:
        return None
    try:
        found = read_json(text)
        schema = schema_for("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior")
        behavior = decode(schema, _renamed(found)).tree if isinstance(found, dict) else {}
    except (ValueError, DecodeError):
        return None
    return behavior or None


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(one) for one in value]
    if isinstance(value, dict):
        return {_NAMES.get(key.lower(), key): _renamed(one) for key, one in value.items() if one is not None}
    return value


_RULES: Final = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")
_POLICY: Final = ("type", "value", "periodSeconds")
_NAMES: Final = {name.lower(): name for name in ("scaleUp", "scaleDown", *_RULES, *_POLICY)}


# From v2 to v1.


def _old_rules(behavior: Tree, name: str) -> Tree | None:
    rules = behavior.get(name)
    if rules is None:
        return None
    made = {_go_name(field): rules.get(field) for field in _RULES}
    if (policies := rules.get("policies")) is not None:
        made["Policies"] = [{_go_name(field): policy.get(field) for field in _POLICY} for policy in policies]
    return made


def _go_name(field: str) -> str:
    return field[0].upper() + field[1:]


def _old_metric(metric: Tree, key: str) -> Tree:
    made: Tree = {"type": metric.get("type", "")}
    for source in _SOURCES:
        if (held := metric.get(source)) is not None:
            made[source] = _old_source(source, held, key)
    return made


def _old_source(source: str, new: Tree, key: str) -> Tree:
    """Fields in the order in which v1 has them, those that are no pointers always."""
    amounts, metric = new.get(key) or {}, new.get("metric") or {}
    value, average, utilization = (amounts.get(name) for name in _AMOUNTS)
    name, selector = metric.get("name", ""), metric.get("selector")
    fields: Tree
    match source:
        case "object":
            described = new.get("describedObject") or {}
            target = {part: described[part] for part in ("kind", "name", "apiVersion") if part in described}
            fields = {
                "target": target, "metricName": name, f"{key}Value": value or "0", "selector": selector, "averageValue": average,
            }  # fmt: skip
        case "pods":
            fields = {"metricName": name, f"{key}AverageValue": average or "0", "selector": selector}
        case "external":
            always = value or "0" if key == "current" else value
            fields = {"metricName": name, "metricSelector": selector, f"{key}Value": always, f"{key}AverageValue": average}  # fmt: skip
        case _:
            held = average or "0" if key == "current" else average
            fields = {
                "name": new.get("name", ""), f"{key}AverageUtilization": utilization, f"{key}AverageValue": held,
                "container": new.get("container"),
            }  # fmt: skip
    return {field: held for field, held in fields.items() if held is not None}
