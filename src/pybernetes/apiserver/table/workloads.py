"""Kinds that run pods, and those that steer them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pybernetes.api.time import parse_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.table.cells import (
    NONE,
    UNKNOWN,
    UNSET,
    age,
    at,
    containers,
    human_duration,
    labels_text,
    name,
    selector_text,
    since,
)


def _template(obj: Tree) -> tuple[str, str]:
    return containers(at(obj, "spec", "template", "spec"))


def _count(obj: Tree, *path: str) -> int:
    found: int = at(obj, *path, default=0)
    return found


def deployment(obj: Tree, now: datetime) -> list[Any]:
    return [
        name(obj),
        f"{_count(obj, 'status', 'readyReplicas')}/{_count(obj, 'spec', 'replicas')}",
        _count(obj, "status", "updatedReplicas"),
        _count(obj, "status", "availableReplicas"),
        age(obj, now),
        *_template(obj),
        selector_text(at(obj, "spec", "selector")),
    ]


def replica_set(obj: Tree, now: datetime) -> list[Any]:
    return [*_replicas(obj, now), *_template(obj), selector_text(at(obj, "spec", "selector"))]


def replication_controller(obj: Tree, now: datetime) -> list[Any]:
    return [*_replicas(obj, now), *_template(obj), labels_text(at(obj, "spec", "selector"))]


def _replicas(obj: Tree, now: datetime) -> list[Any]:
    return [
        name(obj),
        _count(obj, "spec", "replicas"),
        _count(obj, "status", "replicas"),
        _count(obj, "status", "readyReplicas"),
        age(obj, now),
    ]


def stateful_set(obj: Tree, now: datetime) -> list[Any]:
    ready = f"{_count(obj, 'status', 'readyReplicas')}/{_count(obj, 'spec', 'replicas')}"
    return [name(obj), ready, age(obj, now), *_template(obj)]


def daemon_set(obj: Tree, now: datetime) -> list[Any]:
    return [
        name(obj),
        _count(obj, "status", "desiredNumberScheduled"),
        _count(obj, "status", "currentNumberScheduled"),
        _count(obj, "status", "numberReady"),
        _count(obj, "status", "updatedNumberScheduled"),
        _count(obj, "status", "numberAvailable"),
        labels_text(at(obj, "spec", "template", "spec", "nodeSelector")),
        age(obj, now),
        *_template(obj),
        selector_text(at(obj, "spec", "selector")),
    ]


def controller_revision(obj: Tree, now: datetime) -> list[Any]:
    owner = next((one for one in obj["metadata"].get("ownerReferences") or [] if one.get("controller")), None)
    shown = NONE
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        kind = owner["kind"].lower()
        shown = f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"
    return [name(obj), shown, obj.get("revision", 0), age(obj, now)]


def job(obj: Tree, now: datetime) -> list[Any]:
    return [
        name(obj),
        _job_status(obj),
        _job_completions(obj),
        _job_duration(obj, now),
        age(obj, now),
        *_template(obj),
        selector_text(at(obj, "spec", "selector")),
    ]


def _job_status(obj: Tree) -> str:
    true = {one["type"] for one in at(obj, "status", "conditions", default=[]) if one.get("status") == "True"}
    for kind, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if kind in true:
            return word
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if kind in true:
            return kind
    return "Running"


def _job_completions(obj: Tree) -> str:
    succeeded = _count(obj, "status", "succeeded")
    completions = at(obj, "spec", "completions")
    if completions is not None:
        return f"{succeeded}/{completions}"
    parallelism = at(obj, "spec", "parallelism", default=0)
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(obj: Tree, now: datetime) -> str:
    start = at(obj, "status", "startTime")
    if not start:
        return ""
    end = at(obj, "status", "completionTime")
    return human_duration(((parse_time(end) if end else now) - parse_time(start)).total_seconds())


def cron_job(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    last = at(obj, "status", "lastScheduleTime")
    return [
        name(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        "True" if spec.get("suspend") else "False",
        len(at(obj, "status", "active", default=[])),
        since(last, now) if last else NONE,
        age(obj, now),
        *containers(at(spec, "jobTemplate", "spec", "template", "spec")),
        selector_text(at(spec, "jobTemplate", "spec", "selector")),
    ]


def pod_disruption_budget(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name(obj),
        str(spec["minAvailable"]) if "minAvailable" in spec else "N/A",
        str(spec["maxUnavailable"]) if "maxUnavailable" in spec else "N/A",
        _count(obj, "status", "disruptionsAllowed"),
        age(obj, now),
    ]


def horizontal_pod_autoscaler(obj: Tree, now: datetime) -> list[Any]:
    """In the storage version (v2)."""
    spec = obj.get("spec") or {}
    target = spec.get("scaleTargetRef") or {}
    minimum = spec.get("minReplicas")
    return [
        name(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec, obj.get("status") or {}),
        UNSET if minimum is None else str(minimum),
        spec.get("maxReplicas", 0),
        _count(obj, "status", "currentReplicas"),
        age(obj, now),
    ]


def _metrics(spec: Tree, status: Tree) -> str:
    wanted = spec.get("metrics") or []
    current_metrics = status.get("currentMetrics") or []
    if not wanted:
        return NONE
    shown_metrics = [
        _metric(one, current_metrics[position] if position < len(current_metrics) else {})
        for position, one in enumerate(wanted)
    ]
    if len(shown_metrics) > 2:
        return ", ".join(shown_metrics[:2]) + f" + {len(shown_metrics) - 2} more..."
    return ", ".join(shown_metrics)


_SOURCES = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _metric(wanted: Tree, current: Tree) -> str:
    kind = wanted.get("type", "")
    source = _SOURCES.get(kind)
    if source is None:
        return "<unknown type>"
    target = at(wanted, source, "target", default={})
    now = at(current, source, "current", default={})
    if kind in ("Resource", "ContainerResource"):
        label = wanted[source].get("name", "") + ": "
    else:
        label = ""
    if target.get("averageUtilization") is not None:
        value = now.get("averageUtilization")
        return f"{label}{UNKNOWN if value is None else f'{value}%'}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        average = " (avg)" if kind in ("External", "Object") else ""
        return f"{label}{now.get('averageValue') or UNKNOWN}/{target['averageValue']}{average}"
    return f"{label}{now.get('value') or UNKNOWN}/{target.get('value', '')}"
