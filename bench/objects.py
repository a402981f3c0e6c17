"""What the benchmarks put into a cluster."""

from __future__ import annotations

from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta

NAMESPACE = "bench"
IMAGE = "busybox:1"
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait"]
"""Ends at once on SIGTERM, so that a graceful delete times the cluster and not the grace period."""


def pod(name: str, *, scheduler: str | None = None, app: str = "bench") -> core.Pod:
    container = core.Container(name="main", image=IMAGE, image_pull_policy="IfNotPresent", command=SLEEP)
    return core.Pod(
        metadata=meta.ObjectMeta(name=name, namespace=NAMESPACE, labels={"app": app}),
        spec=core.PodSpec(containers=[container], scheduler_name=scheduler),
    )


def config_map(name: str) -> core.ConfigMap:
    return core.ConfigMap(metadata=meta.ObjectMeta(name=name, namespace=NAMESPACE), data={"k": "x" * 200})


def is_ready(pod: core.Pod) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)
