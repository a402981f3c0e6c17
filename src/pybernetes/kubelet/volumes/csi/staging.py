"""A volume is staged once for the node, for all of its pods, where its driver wants that."""

from __future__ import annotations

from pathlib import Path

from pybernetes.kubelet.volumes.csi import record
from pybernetes.kubelet.volumes.csi.context import Doors
from pybernetes.kubelet.volumes.csi.driver import Can, Driver, DriverError
from pybernetes.kubelet.volumes.csi.messages import StageRequest
from pybernetes.kubelet.volumes.csi.record import Record
from pybernetes.kubelet.volumes.csi.source import Source, capability


class Stager:
    """Calls about one volume must not overlap. They raise VolumeError, and may be repeated."""

    def __init__(self, doors: Doors) -> None:
        self._doors, self._places = doors, doors.places
        self._staged: set[tuple[str, str]] = set()
        """For sure, by this process."""

    def path(self, source: Source) -> Path:
        return (
            self._places.staged_device(source.name)
            if source.is_block
            else self._places.staged(source.driver, source.handle)
        )

    async def stage(self, driver: Driver, source: Source, context: dict[str, str], group: int | None) -> None:
        """`context` is the attacher's word; `group` is to own the volume if the driver can see to that."""
        if source.volume in self._staged or not await driver.can(Can.STAGE_UNSTAGE_VOLUME):
            return
        path, run = self.path(source), self._doors.threads.run
        request = StageRequest(
            volume_id=source.handle,
            publish_context=context,
            staging_target_path=self._doors.root.told(path),
            volume_capability=capability(
                source,
                is_fine=await driver.can(Can.SINGLE_NODE_MULTI_WRITER),
                group=group if await driver.can(Can.VOLUME_MOUNT_GROUP) else None,
            ),
            secrets=await self._doors.secrets(source.stage_secret, "NodeStageSecretRef"),
            volume_context=source.attributes,
        )
        await run(self._prepare, source, path)
        try:
            await driver.stage(request)
        except DriverError as error:
            if error.is_final and not source.is_block:
                await run(record.clear, path)
            raise
        self._staged.add(source.volume)

    def _prepare(self, source: Source, path: Path) -> None:
        """The record comes first: whatever happens, somebody has to be able to undo it."""
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
        known = Record(driver=source.driver, handle=source.handle)
        if source.is_block:
            named = Record(driver=source.driver, handle=source.handle, name=source.name, node=self._doors.node)
            record.save(self._places.device_data(source.name), named)
        else:
            record.save(path.parent, known)

    async def unstage(self, volume: tuple[str, str]) -> None:
        """Whatever of it is staged on the node."""
        run = self._doors.threads.run
        found = await run(lambda: [each for each in record.staged(self._places) if each[1].volume == volume])
        for path, _ in found:
            await self._unstage(volume, path)
        self._staged.discard(volume)

    async def _unstage(self, volume: tuple[str, str], path: Path) -> None:
        driver = self._doors.drivers.get(volume[0])
        if await driver.can(Can.STAGE_UNSTAGE_VOLUME):
            await driver.unstage(volume[1], self._doors.root.told(path))
        await self._doors.threads.run(self._forget, path)

    def _forget(self, path: Path) -> None:
        if path.parent != self._places.devices / "staging":
            record.clear(path)
            return
        record.remove_tree(path)
        record.remove_tree(self._places.devices / path.name)
