"""The act of changing resources in place: of the pod's cgroup and of a container's."""

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.cgroups import container_resources, pod_resources
from pybernetes.kubelet.events import NORMAL, WARNING
from pybernetes.kubelet.observed import Observed
from pybernetes.kubelet.plan import ResizeContainer, Waiting, resize_key
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.memory import PodMemory
from pybernetes.kubelet.podspec import container_of
from pybernetes.kubelet.resizing import Refusal, Resizing, Room, granted_before, resources_of, with_resources


class Resizer:
    """What one pod is granted, and how it gets it."""

    def __init__(self, doors: PodDoors, memory: PodMemory, pod: v1.Pod) -> None:
        self._doors, self._memory = doors, memory
        self._granted = granted_before(pod)
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
            self._doors.events.pod(pod, WARNING, f"Resize{refusal.reason}", refusal.message)
        self._told = refusal
        self.resizing = Resizing(refusal, self.resizing.containers, self.resizing.error)

    def note(self, pod: v1.Pod, containers: set[str]) -> None:
        """The containers whose resources are not yet as granted; none any more is the end of a resize."""
        before, now = self.resizing, frozenset(containers)
        errors = (self._memory.failures.get(resize_key(name)) for name in sorted(now))
        error = next((waiting.message for waiting in errors if waiting is not None), "")
        self.resizing = Resizing(before.refusal, now, error)
        if now and not before.containers:
            self._doors.events.pod(pod, NORMAL, "ResizeStarted", f"Pod resize started: containers {_listed(now)}")
        elif before.containers and not now:
            names = _listed(before.containers)
            self._doors.events.pod(pod, NORMAL, "ResizeCompleted", f"Pod resize completed: containers {names}")

    async def resize(self, pod: v1.Pod, action: ResizeContainer, observed: Observed) -> None:
        """The pod's own limits make room before a container grows, and follow after it has shrunk."""
        container, current, sandbox = container_of(pod, action.name), observed.by_id(action.id), observed.ready_sandbox
        if container is None or current is None or sandbox is None:
            return
        wanted = container_resources(pod, container, self._doors.memory_capacity)
        key, runtime = resize_key(action.name), self._doors.runtime
        try:
            if _grows(wanted, current.status.resources):
                await runtime.update_pod_sandbox_resources(sandbox.id, t.LinuxContainerResources(), pod_resources(pod))
                await runtime.update_container_resources(action.id, wanted)
            else:
                await runtime.update_container_resources(action.id, wanted)
                await runtime.update_pod_sandbox_resources(sandbox.id, t.LinuxContainerResources(), pod_resources(pod))
        except CRIError as error:
            now = self._doors.clock.now().timestamp()
            if key not in self._memory.failures:
                self._doors.events.container(pod, action.name, WARNING, "ResizeError", str(error))
            self._memory.failed(key, Waiting("Error", str(error)), now, self._memory.next_delay(key))
        else:
            self._memory.succeeded(key)


def _grows(wanted: t.LinuxContainerResources, actual: t.ContainerResources | None) -> bool:
    before = actual.linux if actual is not None and actual.linux is not None else t.LinuxContainerResources()
    return wanted.memory_limit_in_bytes > before.memory_limit_in_bytes or wanted.cpu_quota > before.cpu_quota


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
