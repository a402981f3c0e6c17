"""Volumes that are images (KEP-4639): mounted read-only beside the container's root, and gone with it."""

import os
from pathlib import Path

import msgspec

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.runtime import syscalls
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.state import ContainerRecord


async def mount_images(core: Core, mounts: list[t.Mount], container_id: str, users: Path | None) -> list[t.Mount]:
    """The mounts with a host path for each image among them, whose layers are the container's from now on.

    `users` is where the user namespace is pinned whose ids they have, if it is not the node's.
    Raises CRIError: the image is not here, or it lacks the sub path.
    """
    return [await _mount(core, mount, container_id, users) for mount in mounts]


async def _mount(core: Core, mount: t.Mount, container_id: str, users: Path | None) -> t.Mount:
    if mount.image is None or not mount.image.image:
        return mount
    image_id = core.images.resolve(mount.image.image)
    try:
        path = await core.images.snapshots.mount_volume(image_id, container_id, users)
        if mount.image_sub_path:
            path = await core.files.run(_within, path, mount.image_sub_path)
    except OSError as error:
        raise CRIError(f"failed to mount image volume: {error}") from error
    return msgspec.structs.replace(mount, host_path=str(path))


def _within(volume: Path, sub_path: str) -> Path:
    """The path without links of a part of the volume; links in it lead nowhere else, and nobody can change them."""
    root = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = syscalls.open_in_root(root, sub_path, os.O_PATH)
    except OSError as error:
        raise OSError(error.errno, f"image sub path {sub_path!r}: {os.strerror(error.errno or 0)}") from error
    finally:
        os.close(root)
    try:
        return Path(os.readlink(f"/proc/self/fd/{found}"))
    finally:
        os.close(found)


def images_of(record: ContainerRecord) -> set[str]:
    """The ids of the images that a container needs: its own, and its volumes'."""
    volumes = {mount.image.image for mount in record.config.mounts if mount.image is not None}
    return {record.image_id} | volumes
