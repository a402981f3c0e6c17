"""Horizontal pod autoscalers, in the form of version 2."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.quantity import Quantity
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import non_negative_quantity
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.resources import validate_container_resource_name

_SPEC = Path("spec")
_SOURCES = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
    "Resource": "resource",
}  # fmt: skip
_ORDER = ("object", "external", "pods", "resource", "containerResource")
"""In which upstream looks at the sources; only the first is judged."""
_TARGETS = ("AverageValue", "Utilization", "Value")
_SELECT = ("Disabled", "Max", "Min")
_POLICY_TYPES = ("Percent", "Pods")
_MAX_WINDOW, _MAX_PERIOD = 3600, 1800


def _create(autoscaler: Tree) -> Errors:
    spec = autoscaler["spec"]
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        yield field.invalid(_SPEC.child("minReplicas"), least, "must be greater than or equal to 1")
    if not most:
        yield field.required(_SPEC.child("maxReplicas"), "must be set and greater than 0")
    elif most < 1:
        yield field.invalid(_SPEC.child("maxReplicas"), most, "must be greater than or equal to 1")
    if least is not None and most < least:
        yield field.invalid(_SPEC.child("maxReplicas"), most, "must be greater than or equal to `minReplicas`")
    yield from _validate_reference(spec["scaleTargetRef"], _SPEC.child("scaleTargetRef"))
    metrics = _metrics(spec)
    yield from _validate_metrics(metrics, least)
    behavior = spec.get("behavior") or {}
    for direction in ("scaleUp", "scaleDown"):
        if behavior.get(direction) is not None:
            yield from _validate_rules(behavior[direction], _SPEC.child("behavior", direction))


def _metrics(spec: Tree) -> list[Tree]:
    """Version 1 has one target of its own."""
    percent = spec.get("targetCPUUtilizationPercentage")
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return spec.get("metrics") or []


def _validate_reference(ref: Tree, path: Path, *, any_group: bool = False) -> Errors:
    for name in ("kind", "name"):
        if not ref.get(name):
            yield field.required(path.child(name))
        else:
            yield from complain(path.child(name), ref[name], names.path_segment(ref[name]))
    version = ref.get("apiVersion", "")
    if version.count("/") > 1:
        yield field.invalid(path.child("apiVersion"), version, f"unexpected GroupVersion string: {version}")
    if not any_group and "/" not in version and ref.get("kind") != "ReplicationController":
        yield field.invalid(path.child("apiVersion"), version, "apiVersion must specify API group")


def _validate_metrics(metrics: list[Tree], least: int | None) -> Errors:
    path = _SPEC.child("metrics")
    for index, metric in enumerate(metrics):
        yield from _validate_metric(metric, path.index(index))
    if least == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield field.forbidden(path, detail)


def _validate_metric(metric: Tree, path: Path) -> Errors:
    kind = metric.get("type", "")
    if not kind:
        yield field.required(path.child("type"), "must specify a metric source type")
    if kind not in _SOURCES:
        # Told by the check of the type, and again by that of its source.
        for _ in range(2):
            yield field.not_supported(path.child("type"), kind, tuple(_SOURCES))
    told = [name for name in _ORDER if metric.get(name) is not None]
    if told:
        yield from _validate_source(told[0], metric[told[0]], path.child(told[0]))
    wanted = _SOURCES.get(kind, "")
    if wanted and wanted not in told:
        yield field.required(path.child(wanted), "must populate information for the given metric source")
    for name in told if len(told) > 1 else ():
        if name != wanted:
            yield field.forbidden(path.child(name), "must populate the given metric source only")


def _validate_source(name: str, source: Tree, path: Path) -> Errors:
    target = source["target"]
    if name in ("resource", "containerResource"):
        if not source.get("name"):
            yield field.required(path.child("name"), "must specify a resource name")
        elif name == "containerResource":
            yield from validate_container_resource_name(source["name"], path.child("name"))
        container = source.get("container", "")
        if name == "containerResource" and not container:
            yield field.required(path.child("container"), "must specify a container")
        elif name == "containerResource":
            yield from complain(path.child("container"), container, names.dns1123_label(container))
        yield from _validate_resource_target(target, path.child("target"))
        return
    if name == "object":
        yield from _validate_reference(source["describedObject"], path.child("describedObject"), any_group=True)
    yield from _validate_identifier(source["metric"], path.child("metric"))
    yield from _validate_target(target, path.child("target"))
    if name == "pods" and target.get("averageValue") is None:
        yield field.required(path.child("target", "averageValue"), "must specify a positive target averageValue")
    if name in ("object", "external") and target.get("value") is None and target.get("averageValue") is None:
        per_pod = "must set either a target value for metric or a per-pod target"
        detail = "must set either a target value or averageValue" if name == "object" else per_pod
        yield field.required(path.child("target", "averageValue"), detail)
    if name == "external" and target.get("value") is not None and target.get("averageValue") is not None:
        detail = "may not set both a target value for metric and a per-pod target"
        yield field.forbidden(path.child("target", "value"), detail)


def _validate_identifier(metric: Tree, path: Path) -> Errors:
    name = metric.get("name", "")
    if not name:
        yield field.required(path.child("name"), "must specify a metric name")
    else:
        yield from complain(path.child("name"), name, names.path_segment(name))


def _validate_resource_target(target: Tree, path: Path) -> Errors:
    yield from _validate_target(target, path)
    if target.get("averageUtilization") is None and target.get("averageValue") is None:
        detail = "must set either a target raw value or a target utilization"
        yield field.required(path.child("averageUtilization"), detail)
    if target.get("averageUtilization") is not None and target.get("averageValue") is not None:
        yield field.forbidden(
            path.child("averageValue"), "may not set both a target raw value and a target utilization"
        )


def _validate_target(target: Tree, path: Path) -> Errors:
    kind = target.get("type", "")
    if not kind:
        yield field.required(path.child("type"), "must specify a metric target type")
    if kind not in _TARGETS:
        detail = "must be either Utilization, Value, or AverageValue"
        yield field.invalid(path.child("type"), kind, detail)
    for name in ("value", "averageValue"):
        if target.get(name) is not None and Quantity.parse(target[name]).nanos <= 0:
            yield field.invalid(path.child(name), target[name], "must be positive")
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        yield field.invalid(path.child("averageUtilization"), percent, "must be greater than 0")


def _validate_rules(rules: Tree, path: Path) -> Errors:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None:
        if window < 0:
            yield field.invalid(
                path.child("stabilizationWindowSeconds"), window, "must be greater than or equal to zero"
            )
        if window > _MAX_WINDOW:
            detail = f"must be less than or equal to {_MAX_WINDOW}"
            yield field.invalid(path.child("stabilizationWindowSeconds"), window, detail)
    tolerance = rules.get("tolerance")
    if tolerance is not None:
        yield from non_negative_quantity(tolerance, path.child("tolerance"))
    if rules.get("selectPolicy") is not None and rules["selectPolicy"] not in _SELECT:
        yield field.not_supported(path.child("selectPolicy"), rules["selectPolicy"], _SELECT)
    if not rules.get("policies"):
        yield field.required(path.child("policies"), "must specify at least one Policy")
    for index, policy in enumerate(rules.get("policies") or ()):
        yield from _validate_policy(policy, path.child("policies").index(index))


def _validate_policy(policy: Tree, path: Path) -> Errors:
    if policy["type"] not in _POLICY_TYPES:
        yield field.not_supported(path.child("type"), policy["type"], _POLICY_TYPES)
    if policy["value"] <= 0:
        yield field.invalid(path.child("value"), policy["value"], "must be greater than zero")
    seconds = policy["periodSeconds"]
    if seconds <= 0:
        yield field.invalid(path.child("periodSeconds"), seconds, "must be greater than zero")
    if seconds > _MAX_PERIOD:
        yield field.invalid(path.child("periodSeconds"), seconds, f"must be less than or equal to {_MAX_PERIOD}")


def _update_status(new: Tree, old: Tree) -> Errors:
    status = new.get("status") or {}
    for name in ("currentReplicas", "desiredReplicas"):
        if status.get(name, 0) < 0:
            detail = "must be greater than or equal to 0"
            yield field.invalid(Path("status").child(name), status[name], detail)


RULES: RulesTable = {
    ("autoscaling", "horizontalpodautoscalers"): Rules(_create, subresources={"status": _update_status}),
}
