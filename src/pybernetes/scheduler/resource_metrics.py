"""What /metrics/resources tells of pods (KEP-1748)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import msgspec

from pybernetes.api.quota.amounts import pod_amounts
from pybernetes.api.types import core_v1 as core
from pybernetes.client.informer import Informer
from pybernetes.telemetry.metrics import Computed, Registry

POD: Final = ("namespace", "pod", "node", "scheduler", "priority", "resource", "unit")


def resource_metrics(pods: Informer[core.Pod]) -> Registry:
    """What pods that have not ended ask for and are limited to."""
    made = Registry()
    for kind in ("request", "limit"):
        said = "Resources requested by" if kind == "request" else "Resources limit for"
        help = (
            f"{said} workloads on the cluster, broken down by pod. This shows the resource usage the scheduler and "
            "kubelet expect per pod for resources along with the unit for the resource if any."
        )
        made.add(Computed(f"kube_pod_resource_{kind}", help, POD, partial(_resources, pods, f"{kind}s")))
    return made


def _resources(pods: Informer[core.Pod], field: str) -> Iterator[tuple[tuple[str, ...], float]]:
    for pod in pods.list():
        spec, metadata = pod.spec, pod.metadata
        if spec.node_name and pod.status.phase in ("Succeeded", "Failed"):
            continue
        priority = "" if spec.priority is None else str(spec.priority)
        where = metadata.namespace or "", metadata.name or "", spec.node_name or "", spec.scheduler_name or ""
        for resource, quantity in pod_amounts(msgspec.to_builtins(spec), field).items():
            if number := quantity.milli_value / 1000:
                yield (*where, priority, resource, _unit(resource)), number


def _unit(resource: str) -> str:
    if resource == "cpu":
        return "cores"
    if resource.startswith("attachable-volumes-"):
        return "integer"
    return (
        "bytes" if resource in ("memory", "storage", "ephemeral-storage") or resource.startswith("hugepages-") else ""
    )
