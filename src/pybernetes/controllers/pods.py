"""What controllers ask of a pod: is it active, ready, available, and which of several should go first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pybernetes.api.time import parse_time
from pybernetes.api.types import core_v1

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_EPOCH = "1970-01-01T00:00:00Z"
_PHASE_RANK = {"Pending": 0, "Unknown": 1, "Running": 2}


def condition(pod: core_v1.Pod, type: str) -> core_v1.PodCondition | None:
    for found in pod.status.conditions:
        if found.type == type:
            return found
    return None


def is_finished(pod: core_v1.Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def is_active(pod: core_v1.Pod) -> bool:
    """Neither finished nor being deleted: it counts as a replica."""
    return not is_finished(pod) and pod.metadata.deletion_timestamp is None


def is_ready(pod: core_v1.Pod) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found.status == "True"


def ready_since(pod: core_v1.Pod) -> datetime | None:
    """When the pod became ready; None if it is not, or does not say."""
    found = condition(pod, "Ready")
    if found is None or found.status != "True" or not found.last_transition_time:
        return None
    return parse_time(found.last_transition_time)


def seconds_until_available(pod: core_v1.Pod, min_ready_seconds: int, now: datetime) -> float | None:
    """0 for a pod that is available, None for one that is not ready, else how long it has to stay ready yet."""
    if not is_ready(pod):
        return None
    if min_ready_seconds == 0:
        return 0.0
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, min_ready_seconds - (now - since).total_seconds())


def restarts(pod: core_v1.Pod) -> tuple[int, int]:
    """The restarts of the container that restarted most, and of the sidecar that did; other init containers do not
    count."""
    sidecars = {one.name for one in pod.spec.init_containers if one.restart_policy == "Always"}
    beside = [status for status in pod.status.init_container_statuses if status.name in sidecars]
    most, most_beside = (
        max((status.restart_count for status in statuses), default=0)
        for statuses in (pod.status.container_statuses, beside)
    )
    return most, most_beside


def rank_for_deletion(pods: Sequence[core_v1.Pod], related: Iterable[core_v1.Pod], now: datetime) -> list[core_v1.Pod]:
    """The pods in the order in which a ReplicaSet gives them up.

    Unassigned before assigned, pending before running, not ready before ready, cheaper `pod-deletion-cost` before
    dearer, more of `related` (pods of the same owner) on the node before fewer, later ready before earlier, more
    restarts before fewer (those of sidecars come second), newer before older. Times are compared on a logarithmic scale, so that age alone does not
    decide between pods that started together (KEP-2185).
    """
    crowd = Counter(pod.spec.node_name for pod in related if is_active(pod))

    def order(pod: core_v1.Pod) -> tuple[object, ...]:
        ready, (often, beside) = is_ready(pod), restarts(pod)
        return (
            bool(pod.spec.node_name),
            _PHASE_RANK.get(pod.status.phase or "Pending", 2),
            ready,
            deletion_cost(pod),
            -crowd[pod.spec.node_name],
            _log_age(ready_since(pod), now) if ready else -1,
            -often,
            -beside,
            _log_age(parse_time(pod.metadata.creation_timestamp or _EPOCH), now),
            pod.metadata.uid or "",
        )

    return sorted(pods, key=order)


def _log_age(since: datetime | None, now: datetime) -> int:
    """The order of magnitude (base 2) of an age in nanoseconds; young ones sort first."""
    if since is None:
        return 0
    return max(0, int((now - since).total_seconds() * 1_000_000_000)).bit_length()


def deletion_cost(pod: core_v1.Pod) -> int:
    """The annotation's number; 0 if it is missing or no int32."""
    text = pod.metadata.annotations.get(DELETION_COST, "")
    try:
        cost = int(text) if text else 0
    except ValueError:
        return 0
    return cost if -(2**31) <= cost < 2**31 else 0


def disruption_patch(pod: core_v1.Pod, reason: str, message: str, now: str) -> dict[str, Any]:
    """The status patch that says why a pod is about to be disrupted (KEP-3329)."""
    claim = {
        "type": "DisruptionTarget", "status": "True", "reason": reason, "message": message, "lastTransitionTime": now
    }  # fmt: skip
    return {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [claim]}}
