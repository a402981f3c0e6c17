"""What a pod's worker tells the API: the status, kept as last made, and the object's end."""

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.podspec import name_of, namespace_of, uid_of
from pybernetes.kubelet.status.conditions import OWNED
from pybernetes.kubelet.status.context import StatusContext
from pybernetes.kubelet.status.make import make_status
from pybernetes.kubelet.status.writer import StatusWriter, Target


class Teller:
    """The voice of one worker."""

    def __init__(self, doors: PodDoors) -> None:
        self._doors = doors
        self._writer = StatusWriter(doors.api, doors.clock)
        self._made: v1.PodStatus | None = None
        self._told: object = None
        """The essence of what was last told in a hurry."""
        self._target: Target | None = None
        self._deleted = False
        self._seen = doors.clock.monotonic()

    def observe(self, carrier: v1.Pod) -> None:
        """The object of the API that carries the pod's status: the pod itself, or the mirror of a static one."""
        self._target = Target(name_of(carrier), namespace_of(carrier), uid_of(carrier))
        self._writer.observe(self._target, carrier.status, carrier.metadata.resource_version or "")

    def with_status(self, pod: v1.Pod) -> v1.Pod:
        """The pod with the status made last; conditions of others, and claims, are those of the API."""
        if self._made is None:
            return pod
        own = [condition for condition in self._made.conditions if condition.type in OWNED]
        others = [condition for condition in pod.status.conditions if condition.type not in OWNED]
        made = msgspec.structs.replace(
            self._made,
            conditions=[*own, *others],
            resource_claim_statuses=pod.status.resource_claim_statuses,
            extended_resource_claim_status=pod.status.extended_resource_claim_status,
        )
        return msgspec.structs.replace(pod, status=made)

    def publish(self, context: StatusContext, *, hurried: bool) -> None:
        """Make the status and send it on its way: at once if `hurried`, unless only reasons for waiting changed."""
        if self._told is None:
            self._told = _essence(context.pod.status)
        before = context.pod.status
        self._made = make_status(context)
        self._doors.counted.told(before, self._made)
        if self._made.phase == "Running" and before.phase in (None, "", "Pending"):
            self._doors.counted.pod_start.observe(self._doors.clock.monotonic() - self._seen)
        essence = _essence(self._made)
        urgent = hurried and essence != self._told
        if urgent:
            self._told = essence
        self._writer.submit(self._made, urgent=urgent)

    async def run(self) -> None:
        await self._writer.run()

    async def flush(self) -> None:
        await self._writer.flush()

    async def delete(self) -> None:
        """Remove the API object, once: everything of the pod has ended. Raises StatusError."""
        if self._target is not None and not self._deleted:
            await self._doors.api.delete(self._target.name, self._target.namespace, self._target.uid)
            self._deleted = True


def _essence(status: v1.PodStatus) -> object:
    """What others wait for. A pod that is merely being created is told a moment later, together with what follows."""
    containers = [*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses]
    ready = [c.status for c in status.conditions if c.type in ("Ready", "ContainersReady")]
    states = [(c.name, c.state.running, c.state.terminated, _cause(c.state.waiting)) for c in containers if c.state]
    active = [state for state in states if any(state[1:])]
    return status.phase or "Pending", "True" in ready, active, status.reason


def _cause(waiting: v1.ContainerStateWaiting | None) -> str | None:
    if waiting is None or waiting.reason in ("ContainerCreating", "PodInitializing"):
        return None
    return waiting.reason
