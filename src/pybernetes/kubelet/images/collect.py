"""Removes unused images when the disk runs full (upstream's image garbage collection)."""

import logging
import os

from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, NotFoundError
from pybernetes.cri.service import ImageService, RuntimeService
from pybernetes.kubelet.counted import Counted
from pybernetes.kubelet.events import WARNING, Events

log = logging.getLogger(__name__)

PERIOD_SECONDS = 300.0


class ImageLimits(Struct, frozen=True):
    """Above `high` percent of the disk images are removed until `low` is reached; none younger than `min_age` seconds."""

    high: int
    low: int
    min_age: float


class ImageCollector(Struct):
    """Knows since when each image is unused."""

    images: ImageService
    runtime: RuntimeService
    events: Events
    clock: Clock
    limits: ImageLimits
    counted: Counted = field(default_factory=Counted)
    _unused_since: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Look every five minutes until cancelled."""
        while True:
            try:
                await self.collect()
            except CRIError as error:
                self.events.node(WARNING, "ImageGCFailed", str(error))
            await self.clock.sleep(PERIOD_SECONDS)

    async def collect(self) -> list[str]:
        """The ids of the images that were removed. Raises CRIError."""
        unused = await self._unused()
        needed = await self._bytes_to_free()
        removed: list[str] = []
        for image in unused:
            if needed <= 0:
                break
            await self.images.remove_image(t.ImageSpec(image=image.id))
            self.counted.images_removed.inc("space")
            log.info("removed unused image id=%s bytes=%d", image.id, image.size)
            needed -= image.size
            removed.append(image.id)
        if needed > 0:
            message = f"Failed to garbage collect required amount of images. Attempted to free {needed} bytes"
            self.events.node(WARNING, "FreeDiskSpaceFailed", f"{message}, but only found 0 bytes eligible to free.")
        return removed

    async def _unused(self) -> list[t.Image]:
        """Images of no container for long enough, the longest unused first."""
        now = self.clock.monotonic()
        used: set[str] = set()
        for container in await self.runtime.list_containers():
            used |= {container.image_ref, container.image_id, container.image.image if container.image else ""}
            used |= await self._volumes(container.id)
        images = [i for i in await self.images.list_images() if not i.pinned and not _names(i) & used]
        self._unused_since = {image.id: self._unused_since.get(image.id, now) for image in images}
        ripe = [image for image in images if now - self._unused_since[image.id] >= self.limits.min_age]
        return sorted(ripe, key=lambda image: self._unused_since[image.id])

    async def _volumes(self, container_id: str) -> set[str]:
        """The images that the container has as volumes."""
        try:
            status = await self.runtime.container_status(container_id)
        except NotFoundError:
            return set()
        return {mount.image.image for mount in status.mounts if mount.image is not None}

    async def _bytes_to_free(self) -> int:
        info = await self.images.image_fs_info()
        for filesystem in info.image_filesystems:
            point = filesystem.fs_id.mountpoint if filesystem.fs_id else ""
            if not point:
                continue
            stat = os.statvfs(point)
            whole, free = stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize
            if whole and 100 * (whole - free) / whole >= self.limits.high:
                return whole * (100 - self.limits.low) // 100 - free
        return 0


def _names(image: t.Image) -> set[str]:
    return {image.id, *image.repo_tags, *image.repo_digests}
