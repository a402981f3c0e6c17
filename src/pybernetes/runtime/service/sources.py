"""What the service needs of images and snapshots; `images.service.Images` is it."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from pybernetes.runtime.oci.process import ImageDefaults

UsedBy = Callable[[], Collection[str]]
"""The ids of the images that a runtime's containers have, as root or as volume."""


class Usage(Protocol):
    """What a container has written."""

    @property
    def bytes(self) -> int: ...
    @property
    def inodes(self) -> int: ...


class SnapshotSource(Protocol):
    """Roots of containers, and images as their volumes. `mount` is safe to repeat; `remove` of none is no error.

    Both ways to mount raise ImageNotFoundError. `users` is where a user namespace is pinned, whose ids the files have.
    """

    async def mount(self, image_id: str, container_id: str, users: Path | None = None) -> Path: ...
    async def mount_volume(self, image_id: str, container_id: str, users: Path | None = None) -> Path: ...
    async def remove(self, container_id: str) -> None: ...
    def containers(self) -> list[str]: ...
    async def usage(self, container_id: str) -> Usage: ...


class ImageSource(Protocol):
    """Images that are present. `resolve` takes a name, digest or id and raises ImageNotFoundError.

    `users` are asked which images may not be collected.
    """

    users: list[UsedBy]

    @property
    def snapshots(self) -> SnapshotSource: ...
    def resolve(self, name: str) -> str: ...
    def config(self, image_id: str) -> ImageDefaults: ...
    def image_ref(self, image_id: str) -> str: ...
