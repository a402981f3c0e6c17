"""When a pod's volumes are written anew: what they show has changed, or a token in them grows old."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.memory import PodMemory
from pybernetes.kubelet.volumes.podvolumes import PodVolumes, VolumeFailures
from pybernetes.kubelet.volumes.setup import is_followed

LONGEST_SECONDS = 120.0
"""Between two attempts that fail."""


class Refresher:
    """Of one pod. `wanted` says that something which its volumes show is not as it was."""

    def __init__(self, doors: PodDoors, memory: PodMemory, volumes: PodVolumes) -> None:
        self._doors, self._memory, self._volumes = doors, memory, volumes
        self.wanted = False
        self._is_begun = False
        self._not_before = 0.0
        """Wall clock: after a failure."""

    def begin(self, pod: v1.Pod, *, runs: bool) -> None:
        """Called at each look. Of a pod that runs already a kubelet that comes back knows no volumes: those that are to be
        followed are set up once more."""
        if not self._is_begun:
            self._is_begun = True
            self.wanted |= runs and any(is_followed(volume) for volume in pod.spec.volumes)

    def is_due(self) -> bool:
        renewal = self._volumes.renew_at
        return self._now() >= self._not_before and (
            self.wanted or (renewal is not None and renewal <= self._doors.clock.now())
        )

    async def refresh(self, pod: v1.Pod) -> None:
        """Failures are told, and tried again with back-off."""
        self.wanted = False
        try:
            await self._volumes.set_up(pod)
            await self._volumes.refresh(pod)
        except VolumeFailures as failures:
            self.wanted = True
            self._not_before = self._now() + self._memory.next_delay("refresh", LONGEST_SECONDS)
            self._doors.events.volumes(pod, failures.failures)
        else:
            self._memory.succeeded("refresh")

    def delays(self) -> Iterator[float]:
        """Seconds until it may be due."""
        if renewal := self._volumes.renew_at:
            yield max(renewal.timestamp(), self._not_before) - self._now()
        if self.wanted and self._not_before:
            yield self._not_before - self._now()

    def _now(self) -> float:
        return self._doors.clock.now().timestamp()
