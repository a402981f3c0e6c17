"""Volumes that grow while pods use them: the driver's controller makes the device larger, the node what is on it."""

from __future__ import annotations

import logging
from pathlib import Path

from msgspec import Struct

from pybernetes.aio.tasks import Scope
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.client.events import reference_to
from pybernetes.client.patch import PatchType
from pybernetes.kubelet.events import NORMAL, WARNING
from pybernetes.kubelet.volumes.csi import growth
from pybernetes.kubelet.volumes.csi.context import Doors
from pybernetes.kubelet.volumes.csi.driver import Can, Driver, DriverError
from pybernetes.kubelet.volumes.csi.messages import CapacityRange, ExpandRequest
from pybernetes.kubelet.volumes.csi.source import Source, capability
from pybernetes.kubelet.volumes.files import VolumeError

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""A kubelet may read the claims of its pods, but not watch them."""


class Place(Struct, frozen=True):
    """A volume where a pod has it."""

    pod: v1.Pod
    source: Source
    claim: v1.ObjectReference
    published: Path
    staged: Path | None


class Expander:
    """Looks at the claims of what is mounted now and then, for as long as something is."""

    def __init__(self, doors: Doors, scope: Scope) -> None:
        self._doors, self._scope = doors, scope
        self._places: dict[tuple[str, str], Place] = {}
        """By the pod's uid and the volume's name."""
        self._in_use: set[tuple[str, str]] = set()
        """(volume, size) of what its driver does not expand while it is used."""
        self._runs = False

    async def follow(self, place: Place) -> None:
        """The volume is mounted from now on; it grows at once if it is to. Never raises."""
        try:
            driver = self._doors.drivers.get(place.source.driver)
            if not await driver.can(Can.EXPAND_VOLUME):
                return
        except VolumeError as error:
            log.debug("not followed volume=%s error=%s", place.source.name, error)
            return
        self._places[place.pod.metadata.uid or "", place.source.name] = place
        await self._look(place)
        if not self._runs:
            self._runs = True
            self._scope.spawn(self._run(), "volumes that grow")

    def leave(self, uid: str) -> None:
        """The pod has nothing any more."""
        for key in [key for key in self._places if key[0] == uid]:
            del self._places[key]

    async def _run(self) -> None:
        try:
            while self._places:
                await self._doors.clock.sleep(LOOK_SECONDS)
                for place in {each.source.name: each for each in self._places.values()}.values():
                    await self._look(place)
        finally:
            self._runs = False

    async def _look(self, place: Place) -> None:
        try:
            await self._grow(place)
        except StatusError as error:
            log.warning("claim cannot be looked after volume=%s error=%s", place.source.name, error.message)
        except VolumeError as error:
            log.warning("volume does not grow volume=%s error=%s", place.source.name, error)

    async def _grow(self, place: Place) -> None:
        claim, client = await self._claim(place), self._doors.client
        if claim is None or claim.status.allocated_resource_statuses.get(growth.STORAGE) is None:
            return
        volume = await client.get(v1.PersistentVolume, place.source.name)
        size = growth.wanted(claim, volume)
        if size is None or (place.source.name, str(size)) in self._in_use:
            return
        claim = await self._write(claim, growth.begun(claim))
        driver = self._doors.drivers.get(place.source.driver)
        try:
            await driver.expand(await self._request(driver, place, size))
        except DriverError as error:
            await self._failed(place, claim, error, size)
            return
        message = f'MountVolume.NodeExpandVolume succeeded for volume "{place.source.name}" {self._doors.node}'
        self._doors.events.pod(place.pod, NORMAL, "FileSystemResizeSuccessful", message)
        self._doors.events.about(reference_to(claim), NORMAL, "FileSystemResizeSuccessful", message)
        await self._write(claim, growth.done(claim, volume))

    async def _request(self, driver: Driver, place: Place, size: int) -> ExpandRequest:
        told = self._doors.root.told
        return ExpandRequest(
            volume_id=place.source.handle,
            volume_path=told(place.published),
            capacity_range=CapacityRange(required_bytes=size),
            staging_target_path=told(place.staged) if place.staged else "",
            volume_capability=capability(place.source, is_fine=await driver.can(Can.SINGLE_NODE_MULTI_WRITER)),
            secrets=await self._doors.secrets(place.source.expand_secret, "NodeExpandSecretRef"),
        )

    async def _failed(self, place: Place, claim: v1.PersistentVolumeClaim, error: DriverError, size: int) -> None:
        text = f"Expander.NodeExpand failed to expand the volume : {error}"
        message = f'MountVolume.NodeExpandVolume failed for volume "{place.source.name}" : {text}'
        self._doors.events.pod(place.pod, WARNING, "VolumeResizeFailed", message)
        if error.is_in_use:
            self._in_use.add((place.source.name, str(size)))
        if error.is_final:
            await self._write(claim, growth.failed(claim, text, error.code, self._doors.clock.now()))

    async def _claim(self, place: Place) -> v1.PersistentVolumeClaim | None:
        """None if it is another one by now."""
        name, namespace = place.claim.name or "", place.claim.namespace or ""
        found = await self._doors.client.get(v1.PersistentVolumeClaim, name, namespace)
        return found if found.metadata.uid == place.claim.uid else None

    async def _write(self, claim: v1.PersistentVolumeClaim, patch: dict[str, object]) -> v1.PersistentVolumeClaim:
        name, namespace = claim.metadata.name or "", claim.metadata.namespace or ""
        return await self._doors.client.patch(
            v1.PersistentVolumeClaim, name, namespace, patch, PatchType.MERGE, subresource="status"
        )
