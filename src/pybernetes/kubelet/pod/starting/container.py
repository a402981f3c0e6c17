"""A container, from its image to its postStart hook."""

import logging

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.counted import container_type
from pybernetes.kubelet.events import NORMAL, WARNING
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.observed import Observed
from pybernetes.kubelet.plan import StartContainer, StopContainer, Waiting, backoff_key
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.memory import PodMemory
from pybernetes.kubelet.pod.starting.images import ImageFetcher
from pybernetes.kubelet.pod.starting.making import ContainerMaker
from pybernetes.kubelet.pod.starting.sandbox import SandboxStarter
from pybernetes.kubelet.pod.starting.start import Start, StartFailed
from pybernetes.kubelet.podspec import container_of, grace_seconds, uid_of
from pybernetes.kubelet.probes.actions import Subject
from pybernetes.kubelet.probes.outcome import ActionError
from pybernetes.kubelet.users import wants_users
from pybernetes.kubelet.volumes.podvolumes import PodVolumes, VolumeFailures

log = logging.getLogger(__name__)


class ContainerStarter:
    """Starts the containers of one pod. What fails is remembered and told."""

    def __init__(self, doors: PodDoors, memory: PodMemory, volumes: PodVolumes, sandboxes: SandboxStarter) -> None:
        self._doors, self._memory, self._volumes, self._sandboxes = doors, memory, volumes, sandboxes
        self._images, self._maker = ImageFetcher(doors), ContainerMaker(doors, volumes)
        self._failed_in = ""
        """The sandbox in which a container failed to start last: its pod counts once."""

    async def start(self, pod: v1.Pod, action: StartContainer, observed: Observed) -> str | None:
        """Volumes, image, environment, create, start; the new container's id, None if it does not run."""
        container, sandbox = container_of(pod, action.name), observed.ready_sandbox
        if container is None or sandbox is None:
            return None
        kind, counted = container_type(pod, action.name), self._doors.counted
        counted.started_containers.inc(kind)
        try:
            container_id = await self._start(Start(pod, container, action, observed, sandbox))
        except StartFailed as failure:
            counted.failed_containers.inc(kind, failure.waiting.reason)
            if wants_users(pod) and self._failed_in != sandbox.id:
                self._failed_in = sandbox.id
                counted.failed_mapped.inc()
            self._memory.failed(action.name, failure.waiting, self._now(), failure.retry_after)
            return None
        self._memory.succeeded(action.name)
        return container_id

    async def post_start(self, pod: v1.Pod, name: str, container_id: str, ip: str) -> None:
        """Run the postStart hook, if there is one; a failed one has the container ended."""
        container = container_of(pod, name)
        handler = container.lifecycle.post_start if container and container.lifecycle else None
        if container is None or handler is None:
            return
        try:
            await self._doors.actions.hook(handler, Subject(container, container_id, ip), None)
        except ActionError as error:
            log.info("postStart hook failed pod=%s container=%s error=%s", uid_of(pod), name, error)
            self._doors.events.container(pod, name, WARNING, "FailedPostStartHook", "PostStartHook failed")
            stop = StopContainer(container_id, name, "FailedPostStartHook", grace_seconds(pod))
            self._memory.hook_failed[container_id] = stop
        finally:
            self._memory.in_hook.discard(container_id)

    async def _start(self, start: Start) -> str:
        try:
            config = await self._sandboxes.config(start.pod, start.sandbox_attempt)
            await self._volumes_ready(start.pod)
            image_volumes = await self._images.volumes(start, config)
            image = await self._images.own(start, config)
            made = await self._maker.config(start, image, image_volumes, await self._sandboxes.users(start.pod))
        except ConfigError as error:
            raise self._refused(start, "CreateContainerConfigError", str(error)) from error
        if start.action.after_exit_at is not None:
            self._memory.backoff.restarted(backoff_key(start.container), start.action.after_exit_at, self._now())
        container_id = await self._create(start, made, config)
        await self._run(start, container_id)
        return container_id

    async def _volumes_ready(self, pod: v1.Pod) -> None:
        try:
            await self._volumes.set_up(pod)
        except VolumeFailures as failures:
            self._doors.events.volumes(pod, failures.failures)
            raise StartFailed(Waiting(_creating(pod), ""), self._memory.next_delay("volumes", 120.0)) from failures
        self._memory.succeeded("volumes")

    async def _create(self, start: Start, made: t.ContainerConfig, config: t.PodSandboxConfig) -> str:
        runtime, latest = self._doors.runtime, start.observed.latest(start.container.name)
        try:
            if latest is not None and latest.status.state == t.ContainerState.CONTAINER_CREATED:
                await runtime.remove_container(latest.id)
            container_id = await runtime.create_container(start.sandbox.id, made, config)
        except CRIError as error:
            raise self._refused(start, "CreateContainerError", str(error)) from error
        self._doors.events.container(start.pod, start.container.name, NORMAL, "Created", "Container created")
        return container_id

    async def _run(self, start: Start, container_id: str) -> None:
        lifecycle = start.container.lifecycle
        if lifecycle and lifecycle.post_start:
            self._memory.in_hook.add(container_id)
        try:
            await self._doors.runtime.start_container(container_id)
        except CRIError as error:
            self._memory.in_hook.discard(container_id)
            raise self._refused(start, "RunContainerError", str(error)) from error
        self._doors.events.container(start.pod, start.container.name, NORMAL, "Started", "Container started")

    def _refused(self, start: Start, reason: str, message: str) -> StartFailed:
        name = start.container.name
        self._doors.events.container(start.pod, name, WARNING, "Failed", f"Error: {message}")
        retry_after = 0.0 if reason == "RunContainerError" else self._memory.next_delay(name, 10.0)
        return StartFailed(Waiting(reason, message), retry_after)

    def _now(self) -> float:
        return self._doors.clock.now().timestamp()


def _creating(pod: v1.Pod) -> str:
    return "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
