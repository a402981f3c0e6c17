"""What `RUN --mount` asks for, as mounts of the step's container.

A source is resolved within its own root, and what the descriptor stands for is bound to a place of our own, from where
the launcher (or runc, which does not take a descriptor's path) takes it: whatever a context, an image or another step
swaps meanwhile, no other place of the host can be mounted.
"""

import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from pybernetes.cri import types as t
from pybernetes.cri.building import BindMount, CacheMount, FileMount, Mount, SocketMount, TmpfsMount
from pybernetes.cri.errors import InvalidError, NotFoundError
from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.building.caches import Caches
from pybernetes.runtime.building.sources import Sources
from pybernetes.runtime.launcher.rootfs import is_directory, make_directory, make_file
from pybernetes.runtime.syscalls import open_in_root

_SAFE = ["nosuid", "nodev"]


MOUNT_POINTS = ("/proc", "/dev", "/sys")
FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname")
"""What every step has mounted, besides what its Dockerfile asks for."""


class Prepared:
    """Mounts ready to be made: `binds` for CRI's configuration, `memory` in OCI's terms."""

    def __init__(self) -> None:
        self.binds: list[t.Mount] = []
        self.memory: list[dict[str, Any]] = []
        self.directories = [*MOUNT_POINTS]
        self.files = [*FILES]

    def make_stubs(self, root: int) -> None:
        """Make the mount points that are missing in the root. What lies in another mount is not the root's."""
        mounted = {*self.directories, *self.files}
        for path in sorted(mounted):
            if not any(path.startswith(f"{other}/") for other in mounted):
                try:
                    os.close((make_directory if path in self.directories else make_file)(root, path))
                except OSError as error:
                    cause = (error.strerror or str(error)).lower()
                    raise InvalidError(f'cannot mount on "{path}": {cause}') from error


@asynccontextmanager
async def prepare(
    mounts: tuple[Mount, ...], sources: Sources, caches: Caches, scratch: Path
) -> AsyncIterator[Prepared]:
    """Open what the mounts need for as long as the block runs. `scratch` is a directory that the caller removes."""
    prepared = Prepared()
    async with AsyncExitStack() as stack:
        for number, mount in enumerate(mounts):
            if isinstance(mount, TmpfsMount):
                size = [f"size={mount.size}"] if mount.size else []
                prepared.memory.append(
                    {"destination": mount.target, "type": "tmpfs", "source": "tmpfs", "options": [*_SAFE, *size]}
                )
                prepared.directories.append(mount.target)
            elif isinstance(mount, FileMount):
                path = await stack.enter_async_context(_file(mount, scratch / f"memory-{number}"))
                prepared.binds.append(t.Mount(mount.target, str(path), readonly=True))
                prepared.files.append(mount.target)
            else:
                if isinstance(mount, SocketMount):
                    fd, readonly = stack.enter_context(_socket(mount.path)), False
                elif isinstance(mount, CacheMount):
                    fd, readonly = await stack.enter_async_context(caches.open(mount, sources)), mount.readonly
                else:
                    fd, readonly = await stack.enter_async_context(_bound(mount, sources)), not mount.writable
                path = _bind(fd, scratch / f"bind-{number}")
                stack.callback(sys.detach, path)
                prepared.binds.append(t.Mount(mount.target, str(path), readonly=readonly))
                (prepared.directories if is_directory(fd) else prepared.files).append(mount.target)
        yield prepared


def _bind(fd: int, path: Path) -> Path:
    """What `fd` stands for, at `path`."""
    if is_directory(fd):
        path.mkdir(mode=0o700)
    else:
        path.touch(mode=0o600)
    sys.mount(f"/proc/self/fd/{fd}", str(path), flags=sys.MS_BIND)
    return path


@contextmanager
def _socket(path: str) -> Iterator[int]:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise NotFoundError(f"no SSH agent listens at {path}: {(error.strerror or '').lower()}") from error
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise InvalidError(f"no SSH agent listens at {path}: it is no socket")
        yield fd
    finally:
        os.close(fd)


@asynccontextmanager
async def _bound(mount: BindMount, sources: Sources) -> AsyncIterator[int]:
    async with sources.staged(mount.source, mount.path) as root:
        try:
            fd = open_in_root(root, mount.path, os.O_PATH)
        except OSError as error:
            raise NotFoundError(f'"{mount.path}": not found') from error
        try:
            yield fd
        finally:
            os.close(fd)


@asynccontextmanager
async def _file(mount: FileMount, directory: Path) -> AsyncIterator[Path]:
    """A file in memory: it never reaches a disk."""
    directory.mkdir(mode=0o700)
    sys.mount("tmpfs", str(directory), "tmpfs", sys.MOUNT_NOSUID | sys.MOUNT_NODEV, "mode=700")
    try:
        path = directory / "file"
        path.write_bytes(mount.data)
        os.chown(path, mount.uid, mount.gid)
        path.chmod(mount.mode)
        yield path
    finally:
        sys.detach(directory)
