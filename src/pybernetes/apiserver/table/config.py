"""Namespaces, configuration, quotas, events and leases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pybernetes.api.tree import Tree
from pybernetes.apiserver.table.cells import age, at, name, since


def name_and_age(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), age(obj, now)]


def config_map(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age(obj, now)]


def secret(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), obj.get("type", ""), len(obj.get("data") or {}), age(obj, now)]


def namespace(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), at(obj, "status", "phase", default=""), age(obj, now)]


def resource_quota(obj: Tree, now: datetime) -> list[Any]:
    hard, used = at(obj, "status", "hard", default={}), at(obj, "status", "used", default={})
    requests: list[str] = []
    limits: list[str] = []
    for resource in sorted(hard):
        shown = f"{resource}: {used.get(resource, '0')}/{hard[resource]}"
        (limits if resource.startswith("limits.") else requests).append(shown)
    return [name(obj), ", ".join(requests), ", ".join(limits), age(obj, now)]


def event(obj: Tree, now: datetime) -> list[Any]:
    """In the storage version (core/v1)."""
    involved = obj.get("involvedObject") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    first_seen = since(first, now)
    series = obj.get("series")
    if series:
        count = series.get("count", 0)
        last_seen = since(series.get("lastObservedTime"), now)
    else:
        count = obj.get("count") or 1
        last = obj.get("lastTimestamp")
        last_seen = since(last, now) if last else first_seen
    target = involved.get("kind", "").lower()
    if involved.get("name"):
        target += f"/{involved['name']}"
    return [
        last_seen,
        obj.get("type", ""),
        obj.get("reason", ""),
        target,
        involved.get("fieldPath", ""),
        _source(obj),
        (obj.get("message") or "").strip(),
        first_seen,
        count,
        name(obj),
    ]


def _source(obj: Tree) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    return f"{component}, {host}" if host else component


def lease(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), at(obj, "spec", "holderIdentity", default=""), age(obj, now)]


def component_status(obj: Tree, now: datetime) -> list[Any]:
    healthy: Tree = next((one for one in obj.get("conditions") or [] if one["type"] == "Healthy"), {})
    word = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.get("status", ""), "Unknown")
    return [name(obj), word, healthy.get("message", ""), healthy.get("error", "")]


def priority_class(obj: Tree, now: datetime) -> list[Any]:
    return [
        name(obj),
        obj.get("value", 0),
        bool(obj.get("globalDefault")),
        age(obj, now),
        obj.get("preemptionPolicy", ""),
    ]


def runtime_class(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), obj.get("handler", ""), age(obj, now)]


def resource_claim(obj: Tree, now: datetime) -> list[Any]:
    states = ["deleted"] if "deletionTimestamp" in obj["metadata"] else []
    if at(obj, "status", "allocation"):
        states.append("allocated")
    if at(obj, "status", "reservedFor"):
        states.append("reserved")
    return [name(obj), ",".join(states) or "pending", age(obj, now)]


def resource_slice(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name(obj),
        spec.get("nodeName", ""),
        spec.get("driver", ""),
        at(spec, "pool", "name", default=""),
        age(obj, now),
    ]
