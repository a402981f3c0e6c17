"""Acts that bring a pod down: hooks, signals, sandboxes; sidecars after the containers that they serve."""

import asyncio
import logging
import shutil

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.containers.sandbox import log_directory
from pybernetes.kubelet.events import NORMAL, WARNING
from pybernetes.kubelet.observed import Observed, ObservedContainer
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.podspec import container_of, sidecars, uid_of
from pybernetes.kubelet.probes.actions import Subject
from pybernetes.kubelet.probes.outcome import ActionError

log = logging.getLogger(__name__)

MIN_STOP_SECONDS = 2
"""What a container gets for its signal even if its hook has used up the grace."""


class Stopper:
    """Ends what runs. Everything here is safe to repeat, with the same or a shorter grace."""

    def __init__(self, doors: PodDoors) -> None:
        self._doors = doors

    async def stop_pod(self, pod: v1.Pod, observed: Observed, grace: int) -> None:
        """End all containers within `grace` seconds, then the sandboxes. Raises CRIError if the runtime fails."""
        deadline = self._doors.clock.monotonic() + grace
        side = [container.name for container in sidecars(pod)]
        async with asyncio.TaskGroup() as group:
            for attempt in observed.running:
                if attempt.name not in side:
                    group.create_task(self._stop(pod, attempt, deadline, grace))
        for name in reversed(side):
            for attempt in observed.running:
                if attempt.name == name:
                    await self._stop(pod, attempt, deadline, grace)
        for sandbox in observed.sandboxes:
            await self._doors.runtime.stop_pod_sandbox(sandbox.id)

    async def _stop(self, pod: v1.Pod, attempt: ObservedContainer, deadline: float, grace: int) -> None:
        left = round(deadline - self._doors.clock.monotonic())
        await self.stop_container(pod, attempt, max(1, min(grace, left)))

    async def stop_container(self, pod: v1.Pod, attempt: ObservedContainer, grace: int, message: str = "") -> None:
        """preStop hook, stop signal, SIGKILL; all within the grace. Raises CRIError."""
        started = self._doors.clock.monotonic()
        text = message or f"Stopping container {attempt.name}"
        self._doors.events.container(pod, attempt.name, NORMAL, "Killing", text)
        await self._pre_stop(pod, attempt, grace)
        used = self._doors.clock.monotonic() - started
        left = grace if used < 0.5 else max(MIN_STOP_SECONDS, round(grace - used))
        await self._doors.runtime.stop_container(attempt.id, left)

    async def clear_container(self, pod: v1.Pod, attempt: ObservedContainer) -> None:
        """End it at once, without its hook, and remove it. Raises CRIError."""
        if attempt.is_running:
            self._doors.events.container(pod, attempt.name, NORMAL, "Killing", f"Stopping container {attempt.name}")
            await self._doors.runtime.stop_container(attempt.id, 0)
        await self._doors.runtime.remove_container(attempt.id)

    async def _pre_stop(self, pod: v1.Pod, attempt: ObservedContainer, grace: int) -> None:
        container = container_of(pod, attempt.name)
        handler = container.lifecycle.pre_stop if container and container.lifecycle else None
        if container is None or handler is None:
            return
        subject = Subject(container, attempt.id, pod.status.pod_ip or "")
        try:
            async with asyncio.timeout(grace):
                await self._doors.actions.hook(handler, subject, grace)
        except TimeoutError:
            log.info("preStop hook used up the grace pod=%s container=%s", uid_of(pod), attempt.name)
        except (ActionError, CRIError) as error:
            log.info("preStop hook failed pod=%s container=%s error=%s", uid_of(pod), attempt.name, error)
            self._doors.events.container(pod, attempt.name, WARNING, "FailedPreStopHook", "PreStopHook failed")

    async def remove_from_runtime(self, observed: Observed) -> None:
        """Remove containers and sandboxes. Raises CRIError."""
        for attempt in observed.containers:
            await self._doors.runtime.remove_container(attempt.id)
        for sandbox in observed.sandboxes:
            await self._doors.runtime.remove_pod_sandbox(sandbox.id)

    async def remove_logs(self, pod: v1.Pod) -> None:
        """Remove the directory of its containers' logs, as far as that can be done."""
        directory = log_directory(pod, self._doors.settings.pod_logs)
        await self._doors.threads.run(shutil.rmtree, directory, ignore_errors=True)
