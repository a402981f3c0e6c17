"""NodeMetrics and PodMetrics, made of usages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pybernetes.api.quantity import Format, Quantity
from pybernetes.api.scheme import Resource
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.nodemetrics.samples import NANO, NODE, Subject, Usage
from pybernetes.apiserver.table.column import Column

GROUP: Final = "metrics.k8s.io"
VERSION: Final = "v1beta1"
VERBS: Final = ("get", "list")
NODES: Final = Resource(GROUP, VERSION, "nodes", "NodeMetrics", "node", False, verbs=VERBS)
PODS: Final = Resource(GROUP, VERSION, "pods", "PodMetrics", "pod", True, verbs=VERBS)
COLUMNS: Final = (
    Column("Name", "string", "name", description="Name of the resource"),
    Column("cpu", "string"),
    Column("memory", "string"),
    Column("Window", "string"),
)


def node_metrics(node: Tree, usages: Mapping[Subject, Usage], now: float) -> Tree | None:
    """None as long as nothing is known."""
    usage = usages.get(NODE)
    if usage is None:
        return None
    return {"metadata": _metadata(node, now), **_when(usage), "usage": _amounts(usage.nanocores, usage.memory)}


def pod_metrics(pod: Tree, usages: Mapping[Subject, Usage], now: float) -> Tree | None:
    """None unless each running container is known: part of a pod would look like a pod that does little."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    listed = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    running = [one["name"] for one in listed if "running" in (one.get("state") or {})]
    found = {name: usages.get((metadata["namespace"], metadata["name"], name)) for name in running}
    known = {name: usage for name, usage in found.items() if usage is not None}
    if not known or len(known) < len(running):
        return None
    containers = [{"name": name, "usage": _amounts(one.nanocores, one.memory)} for name, one in known.items()]
    latest = max(known.values(), key=lambda one: one.time)
    return {"metadata": _metadata(pod, now), **_when(latest), "containers": containers}


def _metadata(obj: Tree, now: float) -> Tree:
    metadata = obj["metadata"]
    made: Tree = {key: metadata[key] for key in ("name", "namespace") if metadata.get(key)}
    made["creationTimestamp"] = format_time(now)
    if metadata.get("labels"):
        made["labels"] = metadata["labels"]
    return made


def _when(usage: Usage) -> Tree:
    return {"timestamp": format_time(usage.time), "window": f"{usage.window:.3f}".rstrip("0").rstrip(".") + "s"}


def _amounts(nanocores: int, memory: int) -> Tree:
    return {"cpu": cpu(nanocores), "memory": str(Quantity(memory * NANO, Format.BINARY))}


def cpu(nanocores: int) -> str:
    """Billionths of a core as a quantity."""
    return str(Quantity(nanocores))


def cells(obj: Tree, now: datetime) -> list[Any]:
    """The cells of `COLUMNS`; of a pod the sum of its containers."""
    used = [obj["usage"]] if "usage" in obj else [one["usage"] for one in obj["containers"]]
    processor = sum((Quantity.parse(one["cpu"]) for one in used), Quantity())
    memory = sum((Quantity.parse(one["memory"]) for one in used), Quantity(0, Format.BINARY))
    return [obj["metadata"]["name"], str(processor), str(memory), obj["window"]]
