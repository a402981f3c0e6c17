"""Small clusters for decisions: nodes, pods, and a snapshot on which pods are placed as the scheduler does."""

import random
from typing import Any

import msgspec

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.cycle import Placed, Unplaced, decide
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.ranking import Rankings
from pybernetes.scheduler.snapshot import Snapshot


def node(name: str, *, cpu: str = "4", labels: dict[str, str] | None = None, **spec: Any) -> core.Node:
    tree = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}},
    }
    return msgspec.convert(tree, core.Node)


def pod(
    name: str, *, cpu: str = "", labels: dict[str, str] | None = None, owner: str = "", leaves: bool = False,
    namespace: str = "default", status: dict[str, Any] | None = None, **spec: Any,
) -> PodInfo:  # fmt: skip
    container = {"name": "main", "image": "app", **({"resources": {"requests": {"cpu": cpu}}} if cpu else {})}
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "o", "uid": owner, "controller": True}
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "uid": name, "labels": labels or {}}
    metadata["ownerReferences"] = [reference] if owner else []
    if leaves:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    tree = {"metadata": metadata, "spec": {"containers": [container], **spec}, "status": status or {}}
    return PodInfo(msgspec.convert(tree, core.Pod))


class World:
    """A snapshot with its rankings, on which pods are placed as the scheduler does."""

    def __init__(self, *nodes: core.Node) -> None:
        self.snapshot = Snapshot()
        self.rankings = Rankings(random.Random(0))
        for one in nodes:
            self.snapshot.set_node(one)

    def place(self, info: PodInfo) -> str:
        """The node the pod was placed on, or the message that says why not."""
        decision = decide(info, self.snapshot, self.rankings)
        if isinstance(decision, Placed):
            self.snapshot.place(info, decision.node)
            return decision.node
        return decision.message()

    def unplaced(self, info: PodInfo) -> Unplaced:
        decision = decide(info, self.snapshot, self.rankings)
        assert isinstance(decision, Unplaced)
        return decision
