"""All volumes of one pod: set up together, refreshed on change, torn down without the pod's spec."""

import asyncio
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes.context import Token, VolumeContext, VolumeDoors
from pybernetes.kubelet.volumes.files import VolumeError
from pybernetes.kubelet.volumes.projected import renew_at
from pybernetes.kubelet.volumes.setup import is_of_runtime, is_refreshed, plugin_name, set_up

REPUBLISHED_AFTER = timedelta(seconds=60)
"""Upstream's time between two looks at a pod."""


class PodVolumes:
    """The volumes of one pod, below `pods/<uid>`. Calls must not overlap, except that `paths` may be read."""

    def __init__(self, directory: Path, doors: VolumeDoors) -> None:
        self.directory = directory
        self.paths: dict[str, Path] = {}
        """Volume name -> path, for those that are set up."""
        self._doors = doors
        self._tokens: dict[tuple[str, int], Token] = {}
        self._republished: dict[str, datetime] = {}
        """Volumes that are set up again and again, and when that was last."""

    async def set_up(self, pod: v1.Pod) -> None:
        """Set up what is not; all at the same time. Raises VolumeFailures naming those that failed."""
        await self._run(pod, [v for v in pod.spec.volumes if v.name not in self.paths and not is_of_runtime(v)])

    async def refresh(self, pod: v1.Pod) -> None:
        """Write again what follows objects of the API, ask again for what drivers want to be asked for. Raises
        VolumeFailures; the old content then stays."""
        present = [volume for volume in pod.spec.volumes if volume.name in self.paths]
        await self._run(pod, [volume for volume in present if is_refreshed(volume) or volume.name in self._republished])

    @property
    def renew_at(self) -> datetime | None:
        """When a refresh is due: for the first token that grows old, or for a driver."""
        tokens = (renew_at(token, seconds) for (_, seconds), token in self._tokens.items())
        return min((*tokens, *(last + REPUBLISHED_AFTER for last in self._republished.values())), default=None)

    async def _run(self, pod: v1.Pod, volumes: list[v1.Volume]) -> None:
        context = VolumeContext(pod, self.directory, self._doors, self._tokens)
        failures: dict[str, VolumeError] = {}

        async def one(volume: v1.Volume) -> None:
            begun = self._doors.clock.monotonic()
            try:
                self.paths[volume.name] = await set_up(context, volume)
            except VolumeError as error:
                failures[volume.name] = error
            except OSError as error:
                failures[volume.name] = VolumeError(f"{error.strerror}: {error.filename}")
            took = self._doors.clock.monotonic() - begun
            self._doors.counted.volume_mounted(plugin_name(volume), took, failed=volume.name in failures)

        async with asyncio.TaskGroup() as group:
            for volume in volumes:
                group.create_task(one(volume))
        self._republished |= dict.fromkeys(context.republished, self._doors.clock.now())
        if failures:
            raise VolumeFailures(failures)

    async def tear_down(self) -> None:
        """Unmount and remove the volumes; what else is known of the pod's containers stays. Safe to repeat. Raises
        VolumeError for one that its driver does not take away."""
        await self._leave()
        for part in ("volumes", "volumeDevices"):
            await self._doors.threads.run(remove_directory, self.directory / part)

    async def remove(self) -> None:
        """Unmount everything of the pod and remove its directory. Safe to repeat. Raises VolumeError."""
        await self._leave()
        await self._doors.threads.run(remove_directory, self.directory)

    async def _leave(self) -> None:
        """What is bound into containers only goes first, then what drivers have to be asked about."""
        self.paths.clear()
        self._republished.clear()
        await self._doors.threads.run(remove_directory, self.directory / "volume-subpaths")
        if self._doors.csi is not None:
            await self._doors.csi.tear_down(self.directory)


class VolumeFailures(Exception):
    """Volume name -> why it could not be set up."""

    def __init__(self, failures: dict[str, VolumeError]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in failures.items()))
        self.failures = failures


def remove_directory(directory: Path) -> None:
    """Unmount what is below a pod's directory, then remove it; never removes through a mount. Blocking."""
    if not directory.exists():
        return
    points = mounting.mounts_below(directory)
    for point in points:
        mounting.unmount(point)
    if points and mounting.mounts_below(directory):
        raise OSError(f"something is still mounted below {directory}")
    shutil.rmtree(directory, ignore_errors=False)
