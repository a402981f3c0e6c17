"""TaintToleration, and NodeUnschedulable, whose `spec.unschedulable` is a taint in all but name."""

from __future__ import annotations

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.node import UNSCHEDULABLE, NodeState
from pybernetes.scheduler.plugins import MAX_SCORE, Rejection
from pybernetes.scheduler.pod import PodInfo

HARD = ("NoSchedule", "NoExecute")


def tolerates(toleration: core.Toleration, taint: core.Taint) -> bool:
    """Empty key with Exists tolerates everything; empty effect every effect; Lt and Gt compare integers (KEP-5471)."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.key) and (toleration.value or "") == (taint.value or "")
        case "Lt" | "Gt" as operator:
            return _compare(operator, taint.value or "", toleration.value or "")
        case _:
            return False


def _compare(operator: str, taint: str, toleration: str) -> bool:
    try:
        left, right = int(taint), int(toleration)
    except ValueError:
        return False
    return left < right if operator == "Lt" else left > right


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
