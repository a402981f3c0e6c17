"""How full volumes are: asked of their drivers, or of the file system that they lie on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from pybernetes.aio.threads import Worker
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import namespace_of, uid_of
from pybernetes.kubelet.volumes.claim import claim_name


class Usage(Struct, frozen=True):
    """Bytes and inodes; None for what is not known."""

    capacity: int | None = None
    available: int | None = None
    used: int | None = None
    inodes: int | None = None
    inodes_free: int | None = None
    inodes_used: int | None = None


class VolumeUsage(Struct, frozen=True):
    """One volume of a pod; `claim` is "" for one that has none."""

    uid: str
    name: str
    namespace: str
    claim: str
    usage: Usage


class Mounted(Protocol):
    """A pod whose volumes are set up (`pod.worker.PodWorker`)."""

    @property
    def pod(self) -> v1.Pod: ...

    @property
    def volume_paths(self) -> Mapping[str, Path]: ...


class Drivers(Protocol):
    """Those who know of the volumes that they serve."""

    def serves(self, path: Path) -> bool: ...

    async def usage(self, path: Path) -> Usage | None:
        """None if the driver does not tell."""
        ...


class Usages:
    """Of the volumes with claims, and of those of drivers, that pods have now; nothing is kept up to date by itself."""

    def __init__(self, pods: Callable[[], Iterable[Mounted]], threads: Worker, drivers: Drivers | None) -> None:
        self._pods, self._threads, self._drivers = pods, threads, drivers
        self.latest: list[VolumeUsage] = []
        """As of the last look."""

    async def look(self) -> list[VolumeUsage]:
        found = []
        for each in list(self._pods()):
            for volume in each.pod.spec.volumes:
                claim, path = claim_name(each.pod, volume) or "", each.volume_paths.get(volume.name)
                if path is None or not (claim or volume.csi):
                    continue
                usage = await self._of(path)
                if usage is not None:
                    found.append(VolumeUsage(uid_of(each.pod), volume.name, namespace_of(each.pod), claim, usage))
        self.latest = found
        return found

    async def _of(self, path: Path) -> Usage | None:
        if self._drivers is not None and self._drivers.serves(path):
            return await self._drivers.usage(path)
        return await self._threads.run(of_file_system, path)


def of_file_system(path: Path) -> Usage | None:
    """None for what is no directory, or cannot be looked at. Blocking."""
    try:
        if not path.is_dir():
            return None
        found = os.statvfs(path)
    except OSError:
        return None
    return Usage(
        capacity=found.f_blocks * found.f_frsize,
        available=found.f_bavail * found.f_frsize,
        used=(found.f_blocks - found.f_bfree) * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_ffree,
        inodes_used=found.f_files - found.f_ffree,
    )
