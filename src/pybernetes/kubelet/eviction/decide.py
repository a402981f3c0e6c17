"""Which pods have to go, in upstream's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.cgroups import container_request, pod_limit, pod_request
from pybernetes.kubelet.podspec import container_of, is_mirror, is_static

DISK = "ephemeral-storage"
CRITICAL_PRIORITY = 2_000_000_000


class Use(Struct, frozen=True):
    """Bytes that a pod uses of one resource: by container, and by emptyDir volume."""

    containers: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.containers.values()) + sum(self.volumes.values())


class Shortage(Struct, frozen=True):
    """What the node runs out of: "memory" or "ephemeral-storage"; bytes that there should be at least, and are."""

    resource: str
    threshold: int
    available: int

    @property
    def signal(self) -> str:
        """Upstream's name of the measure."""
        return "nodefs.available" if self.resource == DISK else f"{self.resource}.available"


def limited_volumes(pod: v1.Pod) -> dict[str, Quantity]:
    """emptyDir volumes on disk with a size limit; those in memory are limited by their mount."""
    return {
        volume.name: Quantity.parse(source.size_limit)
        for volume in pod.spec.volumes
        if (source := volume.empty_dir) and not source.medium and source.size_limit
    }


def is_limited(pod: v1.Pod) -> bool:
    """Whether any limit on the disk's use is to be watched."""
    return bool(limited_volumes(pod)) or any(
        DISK in container.resources.limits for container in pod.spec.containers if container.resources
    )


class Passed(Struct, frozen=True):
    """A limit that a pod has passed: upstream's name of the measure, and the message."""

    signal: str
    words: str


def over_limit(pod: v1.Pod, use: Use) -> Passed | None:
    """The first limit on the disk's use that the pod has passed; None if it keeps within all."""
    for name, limit in limited_volumes(pod).items():
        if use.volumes.get(name, 0) > limit.value:
            return Passed("emptydirfs.limit", f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". ')
    whole = pod_limit(pod, DISK)
    if whole is not None and whole and use.total > whole.value:
        words = f"Pod ephemeral local storage usage exceeds the total limit of containers {whole}. "
        return Passed("ephemeralpodfs.limit", words)
    for container in pod.spec.containers:
        given = container.resources.limits.get(DISK) if container.resources else None
        if given is not None and use.containers.get(container.name, 0) > Quantity.parse(given).value:
            words = f'Container {container.name} exceeded its local ephemeral storage limit "{given}". '
            return Passed("ephemeralcontainerfs.limit", words)
    return None


def may_be_evicted(pod: v1.Pod) -> bool:
    """Not what the node itself is made of."""
    return not (is_static(pod) or is_mirror(pod) or (pod.spec.priority or 0) >= CRITICAL_PRIORITY)


def first_to_go(pods: Iterable[tuple[v1.Pod, Use]], resource: str) -> tuple[v1.Pod, Use] | None:
    """Who uses more than requested goes before who does not, low priority before high, large excess before small."""

    def order(found: tuple[v1.Pod, Use]) -> tuple[bool, int, int]:
        pod, use = found
        excess = use.total - pod_request(pod, resource).value
        return excess <= 0, pod.spec.priority or 0, -excess

    return min(((pod, use) for pod, use in pods if may_be_evicted(pod)), key=order, default=None)


def shortage_words(shortage: Shortage, pod: v1.Pod, use: Use) -> str:
    """The message on the pod that goes."""
    words = (
        f"The node was low on resource: {shortage.resource}. Threshold quantity: {_kibibytes(shortage.threshold)}, "
        f"available: {_kibibytes(shortage.available)}. "
    )
    for name, used in use.containers.items():
        container = container_of(pod, name)
        request = container_request(container, shortage.resource) if container is not None else Quantity()
        if used > request.value:
            words += (
                f"Container {name} was using {_kibibytes(used)}, request is {request}, "
                f"has larger consumption of {shortage.resource}. "
            )
    return words


def pressure_refusal(pod: v1.Pod, conditions: Sequence[v1.NodeCondition]) -> str:
    """Why a node under pressure takes no such pod; "" if it does. Memory is kept for who has requested some."""
    standing = [one.type for one in conditions if one.type.endswith("Pressure") and one.status == "True"]
    if not standing or not may_be_evicted(pod):
        return ""
    if standing == ["MemoryPressure"] and (_requests_something(pod) or _tolerates_memory_pressure(pod)):
        return ""
    return f"The node had condition: [{' '.join(standing)}]. "


def _requests_something(pod: v1.Pod) -> bool:
    return any(one.resources and (one.resources.requests or one.resources.limits) for one in pod.spec.containers)


def _tolerates_memory_pressure(pod: v1.Pod) -> bool:
    return any(
        (one.key or "") in ("", "node.kubernetes.io/memory-pressure") and (one.effect or "NoSchedule") == "NoSchedule"
        for one in pod.spec.tolerations
        if one.operator == "Exists"
    )


def _kibibytes(amount: int) -> str:
    return f"{amount // 1024}Ki"
