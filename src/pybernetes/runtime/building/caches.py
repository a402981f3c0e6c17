"""Directories that outlive builds: `RUN --mount=type=cache`."""

import asyncio
import hashlib
import os
import secrets
import shutil
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from itertools import count
from pathlib import Path

from pybernetes.cri.building import CacheMount
from pybernetes.runtime.launcher.rootfs import make_directory


class Caches:
    """Below `root`, by the digest of an id: what the Dockerfile calls it never becomes a path."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def open(self, mount: CacheMount) -> AsyncIterator[int]:
        """A descriptor (O_PATH) of the directory, for as long as a step uses it.

        `shared` is used by several at once, for `locked` a step waits its turn, `private` is a further one if others
        are in use.
        """
        name = hashlib.sha256(mount.id.encode()).hexdigest()
        if mount.sharing == "private":
            name = next(each for each in self._names(name) if not self._locks[each].locked())
        async with nullcontext() if mount.sharing == "shared" else self._locks[name]:
            self._users[name] += 1
            try:
                with _opened(self._root / name, mount) as fd:
                    yield fd
            finally:
                self._users[name] -= 1

    def take_unused(self) -> list[Path]:
        """Put the directories that no step uses aside, for `sweep`."""
        taken = []
        for path in self._root.iterdir() if self._root.exists() else ():
            if not self._users[path.name]:
                taken.append(path.rename(path.with_name(f"{path.name}.{secrets.token_hex(4)}")))
        return taken

    def _names(self, name: str) -> Iterator[str]:
        yield name
        yield from (f"{name}.{number}" for number in count(1))


@contextmanager
def _opened(path: Path, mount: CacheMount) -> Iterator[int]:
    """The directory, made with the owner and mode that the mount asks for if it is new."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        path.mkdir()
        os.chown(path, mount.uid, mount.gid)
        path.chmod(mount.mode)
    except FileExistsError:
        pass
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        below = make_directory(top, mount.path)
        try:
            yield below
        finally:
            os.close(below)
    finally:
        os.close(top)


def sweep(paths: list[Path]) -> int:
    """Delete the trees; the bytes that they took. Blocks."""
    freed = 0
    for path in paths:
        for _, _, names, fd in os.fwalk(path):
            freed += sum(os.stat(name, dir_fd=fd, follow_symlinks=False).st_blocks * 512 for name in names)
        shutil.rmtree(path)
    return freed
