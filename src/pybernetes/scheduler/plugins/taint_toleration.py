"""TaintToleration, and NodeUnschedulable, whose `spec.unschedulable` is a taint in all but name."""

from __future__ import annotations

from pybernetes.api.taints import tolerates
from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.node import UNSCHEDULABLE, NodeState
from pybernetes.scheduler.plugins import MAX_SCORE, Rejection
from pybernetes.scheduler.pod import PodInfo

HARD = ("NoSchedule", "NoExecute")


def untolerated(pod: PodInfo, taints: list[core.Taint], effects: tuple[str, ...]) -> list[core.Taint]:
    return [
        taint
        for taint in taints
        if taint.effect in effects and not any(tolerates(toleration, taint) for toleration in pod.spec.tolerations)
    ]


def unschedulable(pod: PodInfo, node: NodeState) -> Rejection | None:
    """A cordoned node takes only pods that tolerate node.kubernetes.io/unschedulable."""
    if not node.unschedulable or not untolerated(pod, [UNSCHEDULABLE], HARD):
        return None
    return Rejection("NodeUnschedulable", ("node(s) were unschedulable",))


def taints(pod: PodInfo, node: NodeState) -> Rejection | None:
    if not node.taints or not untolerated(pod, node.taints, HARD):
        return None
    return Rejection("TaintToleration", ("node(s) had untolerated taint(s)",))


def preferred(pod: PodInfo, node: NodeState) -> float:
    """A tenth less for each PreferNoSchedule taint that is not tolerated."""
    if not node.taints:
        return MAX_SCORE
    return max(0.0, MAX_SCORE - 10.0 * len(untolerated(pod, node.taints, ("PreferNoSchedule",))))
