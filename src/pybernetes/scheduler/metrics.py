"""What /metrics tells of scheduling, under upstream's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from pybernetes.telemetry.metrics import Computed, Counter, Histogram, Registry

PROFILE: Final = "default-scheduler"
ATTEMPT: Final = ("profile", "result")
ATTEMPT_BUCKETS: Final = tuple(0.001 * 2**step for step in range(15))
SLI_BUCKETS: Final = tuple(0.01 * 2**step for step in range(20))
EXTENSION_BUCKETS: Final = tuple(0.0001 * 2**step for step in range(12))
MANY_ATTEMPTS: Final = 15

Result = Literal["scheduled", "unschedulable", "error"]
ExtensionPoint = Literal["PostFilter", "PreBind", "Bind"]
"""Those that are a step of their own here: filters and scores are one ranking, kept from pod to pod."""


class SchedulerMetrics:
    """`pending` tells how many pods wait in each queue; it is set by who has them."""

    def __init__(self) -> None:
        self.pending: Callable[[], Mapping[str, int]] = dict
        self.attempts = Counter("scheduler_schedule_attempts_total", "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.", ATTEMPT)  # fmt: skip
        self.seconds = Histogram("scheduler_scheduling_attempt_duration_seconds", "Scheduling attempt latency in seconds (scheduling algorithm + binding)", ATTEMPT, ATTEMPT_BUCKETS)  # fmt: skip
        self.algorithm = Histogram("scheduler_scheduling_algorithm_duration_seconds", "Scheduling algorithm latency in seconds", (), ATTEMPT_BUCKETS)  # fmt: skip
        self.sli = Histogram("scheduler_pod_scheduling_sli_duration_seconds", "E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve multiple scheduling attempts.", ("attempts",), SLI_BUCKETS)  # fmt: skip
        self.pod_attempts = Histogram("scheduler_pod_scheduling_attempts", "Number of attempts to successfully schedule a pod.", (), (1.0, 2.0, 4.0, 8.0, 16.0))  # fmt: skip
        self.extension_points = Histogram("scheduler_framework_extension_point_duration_seconds", "Latency for running all plugins of a specific extension point.", ("extension_point", "profile", "status"), EXTENSION_BUCKETS)  # fmt: skip
        self.preemptions = Counter("scheduler_preemption_attempts_total", "Total preemption attempts in the cluster till now")  # fmt: skip
        self.victims = Histogram("scheduler_preemption_victims", "Number of selected preemption victims", (), tuple(float(2**step) for step in range(7)))  # fmt: skip
        self.incoming = Counter("scheduler_queue_incoming_pods_total", "Number of pods added to scheduling queues by event and queue type.", ("event", "queue"))  # fmt: skip

    def add_to(self, metrics: Registry) -> None:
        help = (
            "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' means number "
            "of pods in backoffQ; 'unschedulable' means number of pods in unschedulablePods that the scheduler attempted "
            "to schedule and failed; 'gated' is the number of unschedulable pods that the scheduler never attempted to "
            "schedule because they are gated."
        )
        pending = Computed("scheduler_pending_pods", help, ("queue",), self._pending)
        metrics.add(
            self.attempts, self.seconds, self.algorithm, self.sli, self.pod_attempts, self.extension_points, pending,
            self.preemptions, self.victims, self.incoming,
        )  # fmt: skip

    def _pending(self) -> Iterator[tuple[tuple[str, ...], float]]:
        return (((queue,), count) for queue, count in self.pending().items())

    def attempted(self, result: Result, seconds: float) -> None:
        self.attempts.inc(PROFILE, result)
        self.seconds.observe(seconds, PROFILE, result)

    def scheduled(self, attempts: int, waited: float) -> None:
        """A pod has its node, after so many attempts and seconds since it came."""
        self.pod_attempts.observe(attempts)
        self.sli.observe(waited, str(attempts) if attempts < MANY_ATTEMPTS else f"{MANY_ATTEMPTS}+")

    def passed(self, point: ExtensionPoint, seconds: float, *, status: str = "Success") -> None:
        self.extension_points.observe(seconds, point, PROFILE, status)
