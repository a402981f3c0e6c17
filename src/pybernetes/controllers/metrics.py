"""What /metrics tells of the controllers' work, under upstream's names."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct, field

from pybernetes.telemetry.metrics import Counter, Gauge, Histogram, Registry

JOB: Final = ("completion_mode", "result", "action")
SYNC_BUCKETS: Final = tuple(0.004 * 2**step for step in range(15))
SKEW_BUCKETS: Final = tuple(float(2**step) for step in range(10))
MANAGER: Final = "kube-controller-manager"

Action = Literal["reconciling", "tracking", "pods_created", "pods_deleted"]


def _counter(name: str, help: str, *labels: str) -> Counter:
    return Counter(name, help, labels)


class ControllerMetrics(Struct, frozen=True):
    """Counted where it happens."""

    job_syncs: Counter = field(default_factory=lambda: _counter("job_controller_job_syncs_total", "The number of job syncs", *JOB))  # fmt: skip
    job_sync_seconds: Histogram = field(default_factory=lambda: Histogram("job_controller_job_sync_duration_seconds", "The time it took to sync a job", JOB, SYNC_BUCKETS))  # fmt: skip
    jobs_finished: Counter = field(default_factory=lambda: _counter("job_controller_jobs_finished_total", "The number of finished jobs", "completion_mode", "result", "reason"))  # fmt: skip
    job_pods_finished: Counter = field(default_factory=lambda: _counter("job_controller_job_pods_finished_total", "The number of finished Pods that are fully tracked", "completion_mode", "result"))  # fmt: skip
    cronjob_skew: Histogram = field(default_factory=lambda: Histogram("cronjob_controller_job_creation_skew_duration_seconds", "Time between when a cronjob is scheduled to be run, and when the corresponding job is created", (), SKEW_BUCKETS))  # fmt: skip
    evictions: Counter = field(default_factory=lambda: _counter("node_collector_evictions_total", "Number of Node evictions that happened since current instance of NodeController started.", "zone"))  # fmt: skip
    running: Gauge = field(default_factory=lambda: Gauge("running_managed_controllers", "Indicates where instances of a controller are currently running", ("name", "manager")))  # fmt: skip

    def add_to(self, metrics: Registry) -> None:
        metrics.add(
            self.job_syncs, self.job_sync_seconds, self.jobs_finished, self.job_pods_finished, self.cronjob_skew,
            self.evictions, self.running,
        )  # fmt: skip

    def job_synced(self, mode: str, action: Action, seconds: float, *, failed: bool) -> None:
        labels = mode, "error" if failed else "success", action
        self.job_syncs.inc(*labels)
        self.job_sync_seconds.observe(seconds, *labels)
