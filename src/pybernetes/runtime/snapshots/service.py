"""The root of each container: an overlay of its image's layers and a writable layer of its own.

Per container, below `<root>/containers/<id>`: `snapshot.json` (the layers it stands on, and those of the images that are
its volumes), `upper`, `work`, `rootfs`, `volumes`.
"""

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from pybernetes.aio.threads import Worker
from pybernetes.cri.errors import InvalidError, NotFoundError
from pybernetes.runtime.snapshots import files, overlay
from pybernetes.runtime.snapshots.layers import Layers
from pybernetes.runtime.snapshots.mapped import mapped_layers

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class Usage(Struct, frozen=True):
    """What a writable layer takes."""

    bytes: int
    inodes: int


class _Record(msgspec.Struct, frozen=True):
    image_id: str
    chain: str
    volumes: tuple[str, ...] = ()

    @property
    def chains(self) -> tuple[str, ...]:
        return (self.chain, *self.volumes)


class Snapshots:
    """Container roots below `root`. `chain_of` gives an image's chain id and raises ImageNotFoundError."""

    def __init__(self, root: Path, layers: Layers, chain_of: Callable[[str], str], worker: Worker) -> None:
        self._root = root / "containers"
        self._layers = layers
        self._chain_of = chain_of
        self._worker = worker
        # Held while a container takes its layers, or while layers that nothing takes are removed.
        self._taking = threading.Lock()

    async def mount(self, image_id: str, container_id: str, users: Path | None = None) -> Path:
        """The container's root, mounted in this process's mount namespace. Safe to repeat.

        With the ids of the user namespace that is pinned on `users`, if it is given.

        After a reboot the same writable layer is mounted again over the same layers, though the image be gone.
        Raises ImageNotFoundError, OSError.
        """
        return await self._worker.finish(self._mount, image_id, self._path(container_id), users)

    async def mount_volume(self, image_id: str, container_id: str, users: Path | None = None) -> Path:
        """An image's files, read-only, for as long as the container has a root, which it must have already.

        Raises ImageNotFoundError, OSError.
        """
        return await self._worker.finish(self._mount_volume, image_id, self._path(container_id), users)

    async def mount_layers(self, chain: str, name: str, stubs: Callable[[int], None] | None = None) -> Path:
        """The same of a chain of layers instead of an image, for a build; `upper` beside it is what will be its layer.

        `stubs` is given a descriptor of the root and makes there what has to exist (mount points), outside `upper`.
        """
        return await self._worker.finish(self._mount_layers, chain, self._path(name), stubs)

    async def unmount(self, container_id: str) -> None:
        """Unmount the root here and keep the writable layer. Mount namespaces of containers keep their own mount."""
        await self._worker.finish(overlay.unmount, self._path(container_id) / "rootfs")

    async def remove(self, container_id: str) -> None:
        """Unmount root and volumes, and delete the writable layer; nothing happens if there is none."""
        await self._worker.finish(self._remove, self._path(container_id))

    async def usage(self, container_id: str) -> Usage:
        """What the container has written. Raises NotFoundError."""
        return await self._worker.run(self._usage, self._path(container_id))

    def containers(self) -> list[str]:
        """The ids that have a directory here, mounted or not."""
        try:
            return sorted(path.name for path in self._root.iterdir())
        except FileNotFoundError:
            return []

    def detach_layers(self, keep: Callable[[], set[str]]) -> list[Path]:
        """Take the layers that neither `keep` nor a container names out of the store; see `Layers.detach`. Blocks."""
        with self._taking:
            records = [record for name in self.containers() if (record := self._record(self._root / name))]
            return self._layers.detach(keep().union(*(record.chains for record in records)))

    def _path(self, container_id: str) -> Path:
        if not _ID.fullmatch(container_id):
            raise InvalidError(f"invalid container id {container_id!r}")
        return self._root / container_id

    def _mount(self, image_id: str, path: Path, users: Path | None) -> Path:
        if overlay.is_mounted(path / "rootfs"):
            return path / "rootfs"
        record = self._take(path, lambda: _Record(image_id, self._chain_of(image_id)))
        with mapped_layers(self._layers.stack(record.chain), path / "layers", users) as lower:
            return _mount_over(lower, path)

    def _mount_volume(self, image_id: str, path: Path, users: Path | None) -> Path:
        with self._taking:
            record = self._record(path)
            if record is None:
                raise NotFoundError(f"no root of container {path.name}")
            number, chain = len(record.volumes), self._chain_of(image_id)
            self._write(path, msgspec.structs.replace(record, volumes=(*record.volumes, chain)))
        target, empty = path / "volumes" / str(number), path / "empty"
        target.mkdir(mode=0o700, parents=True)
        empty.mkdir(mode=0o755, exist_ok=True)
        # An overlay that nothing can be written to takes two layers at least.
        with mapped_layers(self._layers.stack(chain), path / "layers", users) as lower:
            overlay.mount_read_only([*lower, empty], target)
        return target

    def _mount_layers(self, chain: str, path: Path, stubs: Callable[[int], None] | None) -> Path:
        self._take(path, lambda: _Record("", chain))
        if not self._layers.has(chain):
            raise NotFoundError(f"layer {chain} is gone")
        lower = self._layers.stack(chain)
        if stubs is not None:
            root = _mount_over(lower, path, upper="stubs", options=overlay.PLAIN)
            fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                stubs(fd)
            finally:
                os.close(fd)
                overlay.unmount(root)
            lower = [path / "stubs", *lower]
        return _mount_over(lower, path, options=overlay.PLAIN)

    def _take(self, path: Path, new: Callable[[], _Record]) -> _Record:
        with self._taking:
            record = self._record(path)
            if record is None:
                record = new()
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._write(path, record)
            return record

    def _write(self, path: Path, record: _Record) -> None:
        files.replace(path / "snapshot.json", msgspec.json.encode(record), durable=False)

    def _remove(self, path: Path) -> None:
        overlay.unmount(path / "rootfs")
        for volume in (path / "volumes").glob("*"):
            overlay.unmount(volume)
        files.discard(path, self._layers.staging)

    def _usage(self, path: Path) -> Usage:
        blocks, inodes = 0, 0
        if not (path / "upper").is_dir():
            raise NotFoundError(f"no writable layer of container {path.name}")
        for _, directories, names, fd in os.fwalk(path / "upper"):
            inodes += len(directories) + len(names)
            for name in (*directories, *names):
                try:
                    blocks += os.stat(name, dir_fd=fd, follow_symlinks=False).st_blocks
                except FileNotFoundError:
                    inodes -= 1
        return Usage(blocks * 512, inodes)

    def _record(self, path: Path) -> _Record | None:
        try:
            return msgspec.json.decode((path / "snapshot.json").read_bytes(), type=_Record)
        except (OSError, msgspec.DecodeError):
            return None


def _mount_over(lower: list[Path], path: Path, upper: str = "upper", options: str = "") -> Path:
    """Mount the layers at `rootfs` of the directory, with its `upper` as the writable one."""
    target, writable, work = path / "rootfs", path / upper, path / "work"
    for directory in (work, target):
        directory.mkdir(mode=0o700, exist_ok=True)
    if not writable.exists():
        # The root directory of the overlay is the writable layer's, so it takes after the image's.
        top = lower[0].stat()
        writable.mkdir(mode=0o700)
        os.chown(writable, top.st_uid, top.st_gid)
        writable.chmod(top.st_mode & 0o7777)
    overlay.mount(lower, writable, work, target, options)
    return target
