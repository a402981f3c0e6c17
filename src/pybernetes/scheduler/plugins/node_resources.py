"""NodeResourcesFit and NodeResourcesBalancedAllocation."""

from __future__ import annotations

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import MAX_SCORE, Rejection
from pybernetes.scheduler.pod import PodInfo

NAME = "NodeResourcesFit"
SCORED = ("cpu", "memory")


def fit(pod: PodInfo, node: NodeState) -> Rejection | None:
    """Each request must fit into what is allocatable and not requested yet; the number of pods counts too."""
    reasons = []
    hopeless = False
    if len(node.pods) + 1 > node.allocatable.get("pods", 0):
        reasons.append("Too many pods")
    for name, wanted in pod.needs.requests.items():
        allocatable = node.allocatable.get(name, 0)
        if wanted and wanted > allocatable - node.requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            hopeless = hopeless or wanted > allocatable
    return Rejection(NAME, tuple(reasons), resolvable=not hopeless) if reasons else None


def least_allocated(pod: PodInfo, node: NodeState) -> float:
    """The mean share of cpu and memory that would stay free."""
    return MAX_SCORE * sum(1 - used for used in _used(pod, node)) / len(SCORED)


def balanced_allocation(pod: PodInfo, node: NodeState) -> float:
    """Best where cpu and memory would be used to the same degree."""
    cpu, memory = _used(pod, node)
    return MAX_SCORE * (1 - abs(cpu - memory) / 2)


def _used(pod: PodInfo, node: NodeState) -> list[float]:
    shares = []
    for name in SCORED:
        allocatable = node.allocatable.get(name, 0)
        wanted = node.scoring_requested.get(name, 0) + pod.needs.scoring_requests.get(name, 0)
        shares.append(min(1.0, wanted / allocatable) if allocatable else 1.0)
    return shares
