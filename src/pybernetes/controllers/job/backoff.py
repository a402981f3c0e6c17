"""How long a Job waits before it makes a pod in place of a failed one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from pybernetes.api.time import parse_time
from pybernetes.api.types import core_v1
from pybernetes.controllers import pods as podstate
from pybernetes.wire.numbers import parse_number

FIRST_SECONDS, LAST_SECONDS = 10.0, 600.0
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"


class Backoff(Struct, frozen=True):
    """Failures since the last success, and when the last of them was. Forgotten with the process, as upstream's."""

    failures: int = 0
    last: datetime | None = None

    def after(self, succeeded: Sequence[core_v1.Pod], failed: Sequence[core_v1.Pod]) -> Backoff:
        """With the pods that have ended since."""
        moments = sorted(finished_at(pod) for pod in failed)
        if succeeded:
            success = max(finished_at(pod) for pod in succeeded)
            moments = [moment for moment in moments if moment > success]
            return Backoff(len(moments), moments[-1] if moments else None)
        return Backoff(self.failures + len(moments), moments[-1]) if moments else self

    def seconds_left(self, now: datetime) -> float:
        """10 s after the first failure, doubled with each further one, at most 10 minutes."""
        if not self.failures or self.last is None:
            return 0.0
        pause: float = min(LAST_SECONDS, FIRST_SECONDS * 2.0 ** min(self.failures - 1, 16))
        return max(0.0, pause - (now - self.last).total_seconds())


def of_index(last: core_v1.Pod | None) -> Backoff:
    """The back-off of one index, told by the last pod that failed for it."""
    if last is None:
        return Backoff()
    return Backoff(failures_of(last) + _number(last, IGNORED_FAILURES) + 1, finished_at(last))


def failures_of(pod: core_v1.Pod) -> int:
    """How often its index had failed when the pod was made; ignored failures do not count."""
    return _number(pod, FAILURES)


def annotations_of_next(last: core_v1.Pod | None, *, ignored: bool) -> dict[str, str]:
    """What the pod that takes the place of `last` carries on; `ignored`: whether the policy ignores that failure."""
    if last is None:
        return {FAILURES: "0"}
    before = _number(last, IGNORED_FAILURES) + ignored
    found = {FAILURES: str(failures_of(last) + (not ignored))}
    return found | ({IGNORED_FAILURES: str(before)} if before else {})


def _number(pod: core_v1.Pod, annotation: str) -> int:
    return parse_number(pod.metadata.annotations.get(annotation, "")) or 0


def finished_at(pod: core_v1.Pod) -> datetime:
    """When its last container ended; else when it stopped being ready, was deleted, or was made."""
    sidecars = {one.name for one in pod.spec.init_containers if one.restart_policy == "Always"}
    statuses = [*pod.status.container_statuses, *(s for s in pod.status.init_container_statuses if s.name in sidecars)]
    ends = [found.state.terminated.finished_at if found.state and found.state.terminated else None for found in statuses]  # fmt: skip
    if ends and all(ends):
        return max(parse_time(end) for end in ends if end)
    ready = podstate.condition(pod, "Ready")
    if ready is not None and ready.status == "False" and ready.last_transition_time:
        return parse_time(ready.last_transition_time)
    if pod.metadata.deletion_timestamp is not None:
        grace = pod.metadata.deletion_grace_period_seconds or 0
        return parse_time(pod.metadata.deletion_timestamp) - timedelta(seconds=grace)
    return parse_time(pod.metadata.creation_timestamp or "1970-01-01T00:00:00Z")
