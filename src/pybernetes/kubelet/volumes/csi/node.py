"""The life of CSI volumes on this node: attached, staged, published; and back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from pybernetes.aio.tasks import Scope
from pybernetes.api import csi
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import storage_v1
from pybernetes.client.informer import Informer
from pybernetes.kubelet.volumes.context import CsiMount
from pybernetes.kubelet.volumes.csi import record
from pybernetes.kubelet.volumes.csi.attachment import Attachments
from pybernetes.kubelet.volumes.csi.context import Doors, during
from pybernetes.kubelet.volumes.csi.driver import Can
from pybernetes.kubelet.volumes.csi.expanding import Expander, Place
from pybernetes.kubelet.volumes.csi.inuse import Uses, Volume
from pybernetes.kubelet.volumes.csi.measuring import usage
from pybernetes.kubelet.volumes.csi.publishing import Publisher
from pybernetes.kubelet.volumes.csi.source import Source
from pybernetes.kubelet.volumes.csi.staging import Stager
from pybernetes.kubelet.volumes.files import VolumeError
from pybernetes.kubelet.volumes.usage import Usage

log = logging.getLogger(__name__)


class CsiNode:
    """Any two calls may overlap. They raise VolumeError and may be repeated."""

    def __init__(self, doors: Doors, own: Informer[v1.Node], report: Callable[[], None], scope: Scope) -> None:
        """`own` follows this Node; `report` has its status written; tasks are the scope's. Reads the disk: blocking."""
        self._doors, self._report = doors, report
        self._attachments = Attachments(doors.client, own, doors.node, report)
        self._stager, self._publisher = Stager(doors), Publisher(doors)
        self._expander = Expander(doors, scope)
        self._uses = Uses(doors.places)
        self._published: dict[Path, tuple[Source, Path | None]] = {}
        """Where pods have volumes by this process, and where those are staged."""
        self._locks: WeakValueDictionary[Volume, asyncio.Lock] = WeakValueDictionary()

    def in_use(self) -> list[str]:
        """`status.volumesInUse`."""
        return self._uses.names()

    async def set_up(self, pod: v1.Pod, source: Source) -> CsiMount:
        """Bring the volume to the pod."""
        uid = pod.metadata.uid or ""
        told = await self._doors.driver_object(source.driver)
        with during("MountVolume.SetUp", source.name, prefix="mounter.SetupAt failed to check volume lifecycle mode"):
            check_lifecycle(source, told)
        is_attached = not source.is_ephemeral and csi.is_attachable(told)
        self._check_alone(uid, source)
        self._uses.begin(source.volume, uid, is_attached=is_attached)
        context = await self._attachments.wait(source) if is_attached else {}
        async with self._lock(source.volume):
            staged = None if source.is_ephemeral else await self._stage(pod, source, context)
            path = await self._publish(pod, source, context, staged, told)
            self._published[path] = source, staged
            if source.claim is not None:
                await self._expander.follow(Place(pod, source, source.claim, path, staged))
        return CsiMount(path, source.is_block, bool(told and told.spec.requires_republish))

    def _check_alone(self, uid: str, source: Source) -> None:
        if "ReadWriteOncePod" in source.access_modes and self._uses.is_used_by_others(source.volume, uid):
            error = VolumeError("volume uses the ReadWriteOncePod access mode and is already in use by another pod")
            error.volume = source.name
            raise error

    async def _stage(self, pod: v1.Pod, source: Source, context: dict[str, str]) -> Path | None:
        shared = pod.spec.security_context
        if source.is_block:
            operation, reason, prefix = (
                "MapVolume.SetUpDevice",
                "FailedMapVolume",
                "blockMapper.SetUpDevice failed to get CSI client",
            )
        else:
            operation, reason = "MountVolume.MountDevice", "FailedMount"
            prefix = "attacher.MountDevice failed to create newCsiDriverClient"
        with during(operation, source.name, reason, prefix):
            driver = self._doors.drivers.get(source.driver)
        with during(operation, source.name, reason):
            await self._stager.stage(driver, source, context, shared.fs_group if shared else None)
            return self._stager.path(source) if await driver.can(Can.STAGE_UNSTAGE_VOLUME) else None

    async def _publish(
        self, pod: v1.Pod, source: Source, context: dict[str, str], staged: Path | None,
        told: storage_v1.CSIDriver | None,
    ) -> Path:  # fmt: skip
        operation, reason = "MountVolume.SetUp", "FailedMount"
        if source.is_block:
            operation, reason = "MapVolume.MapPodDevice", "FailedMapVolume"
        with during(operation, source.name, reason, "mounter.SetUpAt failed to get CSI client"):
            driver = self._doors.drivers.get(source.driver)
        with during(operation, source.name, reason):
            return await self._publisher.publish(driver, pod, source, context, staged, told)

    def serves(self, path: Path) -> bool:
        """Whether it is a volume's, as a pod has it."""
        return path in self._published

    async def usage(self, path: Path) -> Usage | None:
        """Of a volume that is served. None if its driver does not tell."""
        source, staged = self._published[path]
        told = self._doors.root.told
        try:
            driver = self._doors.drivers.get(source.driver)
            return await usage(driver, source.handle, told(path), told(staged) if staged else "")
        except VolumeError as error:
            log.debug("volume is not measured volume=%s error=%s", source.name, error)
            return None

    async def tear_down(self, pod: Path) -> None:
        """Whatever the pod of this directory has; then whatever is staged for nobody."""
        uid, run = pod.name, self._doors.threads.run
        places = self._doors.places
        found = await run(lambda: [*record.published(pod), *record.devices(places, pod)])
        for target, known in found:
            async with self._lock(known.volume):
                self._published.pop(self._publisher.path_of(pod, target), None)
                await self._publisher.unpublish(pod, target, known)
        own = {*self._uses.of_pod(uid), *(known.volume for _, known in found)}
        for volume in own:
            self._uses.leave(volume, uid)
        self._publisher.forget(uid)
        self._expander.leave(uid)
        for volume in self._uses.unused():
            try:
                await self._unstage(volume)
            except VolumeError as error:
                if volume in own:
                    raise
                log.warning("volume stays staged driver=%s handle=%s error=%s", *volume, error)

    async def _unstage(self, volume: Volume) -> None:
        async with self._lock(volume):
            if not self._uses.is_used(volume):
                await self._stager.unstage(volume)
                self._uses.forget(volume)
                self._report()

    def _lock(self, volume: Volume) -> asyncio.Lock:
        """One for all who hold it or wait for it now."""
        lock = self._locks.get(volume)
        if lock is None:
            lock = self._locks[volume] = asyncio.Lock()
        return lock


def check_lifecycle(source: Source, told: storage_v1.CSIDriver | None) -> None:
    """Drivers say which kinds of volumes they serve; of those that say nothing only persistent ones are expected."""
    mode = source.lifecycle
    refused = f'volume mode "{mode}" not supported by driver {source.driver}'
    if told is None:
        if source.is_ephemeral:
            raise VolumeError(f"{refused} (no CSIDriver object)")
    elif mode not in told.spec.volume_lifecycle_modes:
        shown = " ".join(f'"{each}"' for each in told.spec.volume_lifecycle_modes)
        raise VolumeError(f"{refused} (only supports [{shown}])")
