"""What the kubelet counts where it happens, for its `/metrics`, under upstream's names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from pybernetes.api.types import core_v1 as v1
from pybernetes.telemetry.metrics import Counter, Histogram, Registry

START_BUCKETS: Final = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0, 480.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0)  # fmt: skip
PULL_BUCKETS: Final = (1.0, 5.0, 10.0, *START_BUCKETS[9:11], *START_BUCKETS[12:])
SANDBOX_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OPERATION_BUCKETS: Final = tuple(0.005 * 2.5**step for step in range(14))
STORAGE_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 25.0, 50.0, 120.0, 300.0, 600.0)
_MEGABYTE: Final = 1 << 20
_SIZES: Final = (
    (10 * _MEGABYTE, "10MB-100MB"), (100 * _MEGABYTE, "100MB-500MB"), (500 * _MEGABYTE, "500MB-1GB"),
    (1024 * _MEGABYTE, "1GB-5GB"), (5 * 1024 * _MEGABYTE, "5GB-10GB"), (10 * 1024 * _MEGABYTE, "10GB-20GB"),
    (20 * 1024 * _MEGABYTE, "20GB-30GB"), (30 * 1024 * _MEGABYTE, "30GB-40GB"), (40 * 1024 * _MEGABYTE, "40GB-60GB"),
    (60 * 1024 * _MEGABYTE, "60GB-100GB"), (100 * 1024 * _MEGABYTE, "GT100GB"),
)  # fmt: skip
_UPSTREAMS: Final = """
AppArmor PodOSSelectorNodeLabelDoesNotMatch PodOSNotSupported InvalidNodeInfo InitContainerRestartPolicyForbidden
SupplementalGroupsPolicyNotSupported UnexpectedAdmissionError UnknownReason UnexpectedPredicateFailureType OutOfcpu
OutOfmemory OutOfephemeral-storage OutOfpods PodLevelResourcesNotSupported PodFeatureUnsupported
Evicted SysctlForbidden TopologyAffinityError NodeShutdown VolumeAttachmentLimitExceeded
"""
_REJECTIONS: Final = frozenset(_UPSTREAMS.split())
"""Reasons that have a series of their own."""


def _counter(name: str, help: str, *labels: str) -> Counter:
    return Counter(f"kubelet_{name}", help, labels)


def _histogram(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(f"kubelet_{name}", help, labels, buckets)


class Counted(Struct, frozen=True):
    """One kubelet's numbers since its start."""

    started_pods: Counter = field(default_factory=lambda: _counter("started_pods_total", "Cumulative number of pods started"))  # fmt: skip
    failed_pods: Counter = field(default_factory=lambda: _counter("started_pods_errors_total", "Cumulative number of errors when starting pods"))  # fmt: skip
    started_mapped: Counter = field(default_factory=lambda: _counter("started_user_namespaced_pods_total", "Cumulative number of pods with user namespaces started. This metric will only be collected on Linux."))  # fmt: skip
    failed_mapped: Counter = field(default_factory=lambda: _counter("started_user_namespaced_pods_errors_total", "Cumulative number of errors when starting pods with user namespaces. This metric will only be collected on Linux."))  # fmt: skip
    started_containers: Counter = field(default_factory=lambda: _counter("started_containers_total", "Cumulative number of containers started", "container_type"))  # fmt: skip
    failed_containers: Counter = field(default_factory=lambda: _counter("started_containers_errors_total", "Cumulative number of errors when starting containers", "container_type", "code"))  # fmt: skip
    terminated: Counter = field(default_factory=lambda: _counter("terminated_containers_total", "Cumulative number of container terminations.", "container_type", "exit_code", "reason"))  # fmt: skip
    rejected: Counter = field(default_factory=lambda: _counter("admission_rejections_total", "Cumulative number pod admission rejections by the Kubelet.", "reason"))  # fmt: skip
    evictions: Counter = field(default_factory=lambda: _counter("evictions", "Cumulative number of pod evictions by eviction signal", "eviction_signal"))  # fmt: skip
    orphans: Counter = field(default_factory=lambda: _counter("orphaned_runtime_pods_total", "Number of pods that have been detected in the container runtime without being already known to the pod worker. This typically indicates the kubelet was restarted while a pod was force deleted in the API or in the local configuration, which is unusual."))  # fmt: skip
    images_removed: Counter = field(default_factory=lambda: _counter("image_garbage_collected_total", "Total number of images garbage collected by the kubelet, whether through disk usage or image age.", "reason"))  # fmt: skip
    containers_per_pod: Histogram = field(default_factory=lambda: _histogram("containers_per_pod_count", "The number of containers per pod.", (1.0, 2.0, 4.0, 8.0, 16.0)))  # fmt: skip
    pod_start: Histogram = field(default_factory=lambda: _histogram("pod_start_duration_seconds", "Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run", START_BUCKETS))  # fmt: skip
    pull: Histogram = field(default_factory=lambda: _histogram("image_pull_duration_seconds", "Duration in seconds to pull an image.", PULL_BUCKETS, "image_size_in_bytes"))  # fmt: skip
    sandbox: Histogram = field(default_factory=lambda: _histogram("run_podsandbox_duration_seconds", "Duration in seconds of the run_podsandbox operations. Broken down by RuntimeClass.Handler.", SANDBOX_BUCKETS, "runtime_handler"))  # fmt: skip
    failed_sandbox: Counter = field(default_factory=lambda: _counter("run_podsandbox_errors_total", "Cumulative number of the run_podsandbox operation errors by RuntimeClass.Handler.", "runtime_handler"))  # fmt: skip
    operations: Counter = field(default_factory=lambda: _counter("runtime_operations_total", "Cumulative number of runtime operations by operation type.", "operation_type"))  # fmt: skip
    failed_operations: Counter = field(default_factory=lambda: _counter("runtime_operations_errors_total", "Cumulative number of runtime operation errors by operation type.", "operation_type"))  # fmt: skip
    operation: Histogram = field(default_factory=lambda: _histogram("runtime_operations_duration_seconds", "Duration in seconds of runtime operations. Broken down by operation type.", OPERATION_BUCKETS, "operation_type"))  # fmt: skip
    storage: Histogram = field(default_factory=lambda: Histogram("storage_operation_duration_seconds", "Storage operation duration", ("migrated", "operation_name", "status", "volume_plugin"), STORAGE_BUCKETS))  # fmt: skip

    def add_to(self, metrics: Registry) -> None:
        metrics.add(*(getattr(self, name) for name in self.__struct_fields__))

    def pod_started(self, *, mapped: bool) -> None:
        self.started_pods.inc()
        if mapped:
            self.started_mapped.inc()

    def pod_failed(self, *, mapped: bool) -> None:
        self.failed_pods.inc()
        if mapped:
            self.failed_mapped.inc()

    def pod_rejected(self, reason: str) -> None:
        """Other resources are told together, and so is what is not upstream's own."""
        known = reason in _REJECTIONS
        self.rejected.inc(reason if known else "OutOfExtendedResources" if reason.startswith("OutOf") else "Other")

    def told(self, before: v1.PodStatus, after: v1.PodStatus) -> None:
        """The status of a pod has become another: containers that were not terminated before and now are."""
        self._ended("init_container", before.init_container_statuses, after.init_container_statuses)
        self._ended("container", before.container_statuses, after.container_statuses)
        self._ended("ephemeral_container", before.ephemeral_container_statuses, after.ephemeral_container_statuses)

    def _ended(self, kind: str, before: Iterable[v1.ContainerStatus], after: Iterable[v1.ContainerStatus]) -> None:
        ended = [status for status in after if status.state and status.state.terminated]
        if not ended:
            return
        known = {status.name for status in before if status.state and status.state.terminated}
        for status in ended:
            if status.name not in known and status.state and (end := status.state.terminated):
                self.terminated.inc(kind, str(end.exit_code), end.reason or "")

    def pulled(self, seconds: float, size: int) -> None:
        """An image of so many bytes; 0 where it is not known."""
        label = next((name for least, name in reversed(_SIZES) if size > least), "0-10MB") if size else "N/A"
        self.pull.observe(seconds, label)

    def volume_mounted(self, plugin: str, seconds: float, *, failed: bool) -> None:
        status = "fail-unknown" if failed else "success"
        self.storage.observe(seconds, "false", "volume_mount", status, plugin)


def container_type(pod: v1.Pod, name: str) -> str:
    """The label of a container by its name."""
    if any(container.name == name for container in pod.spec.containers):
        return "container"
    is_init = any(container.name == name for container in pod.spec.init_containers)
    return "init_container" if is_init else "ephemeral_container"
