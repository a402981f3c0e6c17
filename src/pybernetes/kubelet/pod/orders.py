"""Whether a pod is to end on this node, why, and how long its containers have for it."""

from __future__ import annotations

from pybernetes.api.time import parse_time
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import grace_seconds
from pybernetes.kubelet.status.context import Verdict

DEADLINE = Verdict("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


class Orders:
    """What a worker was told about its pod's end; an order is never taken back."""

    def __init__(self, verdict: Verdict | None) -> None:
        self.verdict = verdict
        """Why the whole pod failed; the first one stands."""
        self.removed = False
        """The pod is no longer desired: nothing of it shall be left."""
        self._grace: int | None = None

    def end(self, verdict: Verdict | None, grace: int) -> None:
        """The containers end for good, within `grace` seconds; a later order may only shorten that."""
        self.verdict = self.verdict or verdict
        self._grace = grace if self._grace is None else min(self._grace, grace)

    def must_end(self, pod: v1.Pod) -> bool:
        return bool(self.removed or self.verdict or pod.metadata.deletion_timestamp) or self._grace is not None

    def grace(self, pod: v1.Pod) -> int:
        """Seconds: the least of what the pod and the orders say."""
        own = grace_seconds(pod)
        return own if self._grace is None else min(own, self._grace)


def deadline_left(pod: v1.Pod, now: float) -> float | None:
    """Seconds until `activeDeadlineSeconds` are over; None without them, or before the pod has started."""
    limit, begun = pod.spec.active_deadline_seconds, pod.status.start_time
    return None if limit is None or begun is None else parse_time(begun).timestamp() + limit - now
