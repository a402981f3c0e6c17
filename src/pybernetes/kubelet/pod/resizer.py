"""The act of changing resources in place: of the pod's cgroup and of a container's."""

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.cgroups import container_request, container_resources, pod_resources
from pybernetes.kubelet.events import NORMAL, WARNING
from pybernetes.kubelet.observed import Observed, ObservedContainer
from pybernetes.kubelet.plan import ResizeContainer, Waiting, resize_key
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.memory import PodMemory
from pybernetes.kubelet.podspec import container_of
from pybernetes.kubelet.resizing import (
    POD,
    Refusal,
    Resizing,
    Room,
    granted_before,
    resources_of,
    summary,
    with_resources,
)


class Resizer:
    """What one pod is granted, and how it gets it."""

    def __init__(self, doors: PodDoors, memory: PodMemory, pod: v1.Pod) -> None:
        self._doors, self._memory = doors, memory
        self._granted = granted_before(pod)
        self._pod_limits = pod_resources(with_resources(pod, self._granted))
        """What the pod's own cgroup has."""
        self._told: Refusal | None = None
        self.resizing = Resizing()

    def granted(self, pod: v1.Pod) -> v1.Pod:
        """The pod with the resources that it may use."""
        return with_resources(pod, self._granted)

    def decide(self, pod: v1.Pod, room: Room) -> None:
        """Grant what the spec asks for, if the node has it."""
        wanted, refusal = resources_of(pod), None
        if wanted != self._granted and (refusal := room(pod)) is None:
            self._granted = wanted
            for name in wanted:
                self._memory.succeeded(resize_key(name))
        if refusal is not None and refusal != self._told:
            told = summary(pod, pod.metadata.generation or 0, refusal.message)
            words = f"Pod resize {refusal.reason}: {told}"
            self._doors.events.pod(pod, WARNING, f"Resize{refusal.reason}", words)
        self._told = refusal
        self.resizing = Resizing(refusal, self.resizing.containers, self.resizing.error)

    def note(self, pod: v1.Pod, containers: set[str]) -> None:
        """The containers whose resources are not yet as granted; none any more is the end of a resize."""
        before, now = self.resizing, frozenset(containers) | ({POD} if self.is_pod_off(pod) else frozenset())
        errors = (self._memory.failures.get(resize_key(name)) for name in sorted(now))
        error = next((waiting.message for waiting in errors if waiting is not None), "")
        self.resizing = Resizing(before.refusal, now, error)
        if now and not before.containers:
            self._doors.events.pod(pod, NORMAL, "ResizeStarted", f"Pod resize started: {self._summary(pod)}")
        elif before.containers and not now:
            self._doors.events.pod(pod, NORMAL, "ResizeCompleted", f"Pod resize completed: {self._summary(pod)}")

    def _summary(self, pod: v1.Pod, error: str = "") -> str:
        return summary(self.granted(pod), pod.metadata.generation or 0, error)

    def is_pod_off(self, pod: v1.Pod) -> bool:
        """Whether the pod's own limits are not as granted."""
        return pod_resources(self.granted(pod)) != self._pod_limits

    def may_settle(self, pod: v1.Pod) -> bool:
        """Whether the pod's own limits are to be set now."""
        return self.is_pod_off(pod) and not self.retry_in()

    def retry_in(self) -> float:
        """Seconds until the pod's own limits may be tried again."""
        return max(0.0, self._memory.retry_at.get(resize_key(POD), 0.0) - self._now())

    def sandbox_made(self, pod: v1.Pod) -> None:
        """The pod's cgroup was made with what is granted now."""
        self._pod_limits = pod_resources(pod)

    async def make_room(self, pod: v1.Pod, observed: Observed) -> None:
        """Let the pod as a whole have what it had and what it is to have, before a container is changed or started."""
        larger = _larger(self._pod_limits, pod_resources(pod))
        if larger != self._pod_limits:
            await self._limit_pod(observed, larger)

    async def settle(self, pod: v1.Pod, observed: Observed) -> None:
        """Give the pod as a whole what it is to have, once all its containers are as they should be."""
        limits = pod_resources(pod)
        try:
            await self._check_pod_memory(observed, limits.memory_limit_in_bytes)
            await self._limit_pod(observed, limits)
        except CRIError as error:
            self._failed(pod, POD, str(error))
        else:
            self._memory.succeeded(resize_key(POD))

    async def _limit_pod(self, observed: Observed, limits: t.LinuxContainerResources) -> None:
        sandbox = observed.ready_sandbox
        if sandbox is not None:
            runtime, overhead = self._doors.runtime, t.LinuxContainerResources()
            await runtime.update_pod_sandbox_resources(sandbox.id, overhead, limits)
            self._pod_limits = limits

    async def resize(self, pod: v1.Pod, action: ResizeContainer, observed: Observed) -> None:
        """Change a container that runs; the pod's own limits make room before, and follow when all are done."""
        container, current = container_of(pod, action.name), observed.by_id(action.id)
        if container is None or current is None or observed.ready_sandbox is None:
            return
        wanted = container_resources(pod, container, self._doors.memory_capacity)
        try:
            await self._check_memory(current, wanted)
            await self.make_room(pod, observed)
            await self._doors.runtime.update_container_resources(action.id, wanted)
        except CRIError as error:
            self._failed(pod, action.name, str(error))
        else:
            self._memory.succeeded(resize_key(action.name))
            self._memory.requested[action.id] = container_request(container, "memory").value

    async def _check_pod_memory(self, observed: Observed, limit: int) -> None:
        """The same of the pod as a whole. Raises CRIError."""
        sandbox = observed.ready_sandbox
        if sandbox is None or not limit or 0 < self._pod_limits.memory_limit_in_bytes <= limit:
            return
        stats = (await self._doors.runtime.pod_sandbox_stats(sandbox.id)).linux
        used = stats.memory.usage_bytes.value if stats and stats.memory and stats.memory.usage_bytes else 0
        if used >= limit:
            what = f"attempting to set pod memory limit ({limit}) below current usage ({used})"
            raise CRIError(f"cannot decrease memory limits: {what}")

    async def _check_memory(self, current: ObservedContainer, wanted: t.LinuxContainerResources) -> None:
        """Refuse a limit below what is in use now: a kernel would end somebody for it, or say nothing. Raises CRIError."""
        limit = wanted.memory_limit_in_bytes
        had = current.status.resources.linux if current.status.resources else None
        if not limit or had is None or 0 < had.memory_limit_in_bytes <= limit:
            return
        stats = await self._doors.runtime.container_stats(current.id)
        used = stats.memory.usage_bytes.value if stats.memory and stats.memory.usage_bytes else 0
        if used >= limit:
            what = f'attempting to set container "{current.name}" memory limit ({limit}) below current usage ({used})'
            raise CRIError(f"cannot decrease memory limits: {what}")

    def _failed(self, pod: v1.Pod, name: str, error: str) -> None:
        key = resize_key(name)
        known = self._memory.failures.get(key)
        if known is None or known.message != error:
            words = f"Pod resize error: {self._summary(pod, error)}"
            self._doors.events.pod(pod, WARNING, "ResizeError", words)
        self._memory.failed(key, Waiting("Error", error), self._now(), self._memory.next_delay(key))

    def _now(self) -> float:
        return self._doors.clock.now().timestamp()


def _larger(one: t.LinuxContainerResources, other: t.LinuxContainerResources) -> t.LinuxContainerResources:
    """Of each amount the larger; none at all (0) is no limit, and cannot be had where there was one."""
    return t.LinuxContainerResources(
        cpu_period=other.cpu_period,
        cpu_quota=max(one.cpu_quota, other.cpu_quota),
        cpu_shares=max(one.cpu_shares, other.cpu_shares),
        memory_limit_in_bytes=max(one.memory_limit_in_bytes, other.memory_limit_in_bytes),
    )
