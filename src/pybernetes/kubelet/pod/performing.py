"""Carries out what a plan decided, one action after the other, and remembers what the next plan needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.cgroups import container_request
from pybernetes.kubelet.observed import Observed
from pybernetes.kubelet.plan import Action, RemoveContainer, ResizeContainer, RunSandbox, StartContainer, StopContainer
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.ending import Stopper
from pybernetes.kubelet.pod.memory import PodMemory
from pybernetes.kubelet.pod.resizer import Resizer
from pybernetes.kubelet.pod.starting.container import ContainerStarter
from pybernetes.kubelet.pod.starting.sandbox import SandboxStarter
from pybernetes.kubelet.podspec import container_of, grace_seconds
from pybernetes.kubelet.status.context import Verdict
from pybernetes.kubelet.volumes.podvolumes import PodVolumes


class Subject(Protocol):
    """The pod that is acted upon, as its worker knows it now: it goes on looking while an action runs."""

    @property
    def pod(self) -> v1.Pod:
        """As desired, with what it has been granted."""
        ...

    @property
    def observed(self) -> Observed:
        """As of the last look."""
        ...

    @property
    def ip(self) -> str:
        """The pod's address, "" if it has none."""
        ...

    def poke(self) -> None:
        """Look again: something was done."""
        ...

    def reject(self, verdict: Verdict) -> None:
        """The pod does not run here."""
        ...


class Performer:
    """The hands of one worker. Raises CRIError, OSError, StatusError where the runtime or the API fails."""

    def __init__(
        self, subject: Subject, doors: PodDoors, memory: PodMemory, volumes: PodVolumes, resizer: Resizer
    ) -> None:
        self._subject, self._memory, self._resizer = subject, memory, resizer
        self._sandboxes, self._stopper = SandboxStarter(doors, memory, volumes), Stopper(doors)
        self._containers = ContainerStarter(doors, memory, volumes, self._sandboxes)

    async def perform(self, actions: Sequence[Action]) -> None:
        """Carry actions out one after the other, as the order of containers in the spec promises."""
        subject = self._subject
        for index, action in enumerate(actions):
            if index:
                subject.poke()
            match action:
                case RunSandbox():
                    if (verdict := await self._sandboxes.allocate(subject.pod)) is not None:
                        subject.reject(verdict)
                        return
                    await self._sandboxes.run(subject.pod, action, subject.observed)
                    self._resizer.sandbox_made(subject.pod)
                case StopContainer():
                    await self._replace(action)
                case RemoveContainer():
                    await self._clear(action)
                case StartContainer():
                    await self._start(action)
                case ResizeContainer():
                    await self._resizer.resize(subject.pod, action, subject.observed)

    async def _start(self, action: StartContainer) -> None:
        subject = self._subject
        await self._resizer.make_room(subject.pod, subject.observed)
        container_id = await self._containers.start(subject.pod, action, subject.observed)
        container = container_of(subject.pod, action.name)
        if container_id is not None and container:
            self._memory.requested[container_id] = container_request(container, "memory").value
        if container_id is not None and container and container.lifecycle and container.lifecycle.post_start:
            subject.poke()
            await self._containers.post_start(subject.pod, action.name, container_id, subject.ip)

    async def _replace(self, action: StopContainer) -> None:
        pod, attempt = self._subject.pod, self._subject.observed.by_id(action.id)
        if attempt is not None:
            if action.resizes:
                self._memory.resized.add(action.id)
            grace = grace_seconds(pod) if action.grace is None else action.grace
            await self._stopper.stop_container(pod, attempt, grace, action.message)

    async def _clear(self, action: RemoveContainer) -> None:
        """The attempt's number outlives it: it is the restart count."""
        attempt = self._subject.observed.by_id(action.id)
        if attempt is not None:
            self._memory.attempts[action.name] = max(attempt.attempt, self._memory.attempts.get(action.name, 0))
            await self._stopper.clear_container(self._subject.pod, attempt)
