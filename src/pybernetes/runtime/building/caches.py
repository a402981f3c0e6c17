"""Directories that outlive builds: `RUN --mount=type=cache`."""

import asyncio
import hashlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

from pybernetes.cri.building import CacheMount
from pybernetes.runtime.launcher.rootfs import make_directory


class Caches:
    """Below `root`, by the digest of an id: what the Dockerfile calls it never becomes a path."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def open(self, mount: CacheMount) -> AsyncIterator[int]:
        """A descriptor (O_PATH) of the directory, for as long as a step uses it.

        `shared` is used by several at once, for `locked` a step waits its turn, `private` is a further one if others
        are in use.
        """
        name = hashlib.sha256(mount.id.encode()).hexdigest()
        if mount.sharing == "shared":
            with _opened(self._root / name, mount) as fd:
                yield fd
            return
        if mount.sharing == "private":
            name = next(each for each in self._names(name) if not self._locks[each].locked())
        async with self._locks[name]:
            with _opened(self._root / name, mount) as fd:
                yield fd

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
