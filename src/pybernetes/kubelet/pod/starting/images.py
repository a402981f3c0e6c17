"""The images of a container: its own, and those of its volumes."""

from pybernetes.cri import types as t
from pybernetes.kubelet.events import WARNING
from pybernetes.kubelet.images.manager import ImageError, ReadyImage, Wanted
from pybernetes.kubelet.plan import Waiting
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.starting.start import Start, StartFailed


class ImageFetcher:
    """Has images present before a container is made of them. Raises StartFailed, which has been told."""

    def __init__(self, doors: PodDoors) -> None:
        self._doors = doors

    async def own(self, start: Start, config: t.PodSandboxConfig) -> ReadyImage:
        """The image that the container runs."""
        container = start.container
        wanted = Wanted(container.image or "", container.image_pull_policy or "", container.name)
        return await self._fetch(start, wanted, config)

    async def volumes(self, start: Start, config: t.PodSandboxConfig) -> dict[str, t.ImageSpec]:
        """Volume name -> image, for those of the container's volumes that are images."""
        pod, mounted = start.pod, {mount.name for mount in start.container.volume_mounts}
        found: dict[str, t.ImageSpec] = {}
        for volume in pod.spec.volumes:
            if volume.image is None or volume.name not in mounted:
                continue
            name = volume.image.reference or ""
            ready = await self._fetch(start, Wanted(name, volume.image.pull_policy or ""), config)
            annotations = pod.metadata.annotations
            found[volume.name] = t.ImageSpec(image=ready.ref, user_specified_image=name, annotations=annotations)
        return found

    async def _fetch(self, start: Start, wanted: Wanted, config: t.PodSandboxConfig) -> ReadyImage:
        try:
            return await self._doors.images.ensure(start.pod, wanted, config)
        except ImageError as error:
            self._doors.events.container(start.pod, start.container.name, WARNING, "Failed", f"Error: {error.reason}")
            raise StartFailed(Waiting(error.reason, str(error)), error.retry_after) from error
