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
from pybernetes.cri.errors import InvalidError
from pybernetes.runtime.building.sources import Sources
from pybernetes.runtime.launcher.rootfs import make_directory


class Caches:
    """Below `root`, by the digest of an id: what the Dockerfile calls it never becomes a path."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def open(self, mount: CacheMount, sources: Sources) -> AsyncIterator[int]:
        """A descriptor (O_PATH) of the directory, for as long as a step uses it.

        `shared` is used by several at once, for `locked` a step waits its turn, `private` is a further one if others
        are in use.
        """
        name = _name(mount)
        if mount.sharing == "private":
            name = next(each for each in self._names(name) if not self._locks[each].locked())
        async with nullcontext() if mount.sharing == "shared" else self._locks[name]:
            with self._using(name):
                if mount.base.chain and not (self._root / name).exists():
                    await self._begin(name, mount, sources)
                with _opened(self._root / name, mount) as fd:
                    yield fd

    async def _begin(self, name: str, mount: CacheMount, sources: Sources) -> None:
        """A new one out of the files that it is to begin with, which appear at once or not at all."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = self._root / f"{name}.{secrets.token_hex(4)}"
        with self._using(staged.name):
            staged.mkdir(mode=0o700)
            try:
                await sources.copy(mount.base, mount.path, staged, "/files")
                if not (staged / "files").is_dir():
                    raise InvalidError(f'a cache cannot begin with "{mount.path}": it is no directory')
                if not (self._root / name).exists():  # unless another step was first
                    (staged / "files").rename(self._root / name)
            finally:
                await asyncio.to_thread(shutil.rmtree, staged)

    @contextmanager
    def _using(self, name: str) -> Iterator[None]:
        self._users[name] += 1
        try:
            yield
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


def _name(mount: CacheMount) -> str:
    identity = (mount.id, mount.base.chain, mount.path) if mount.base.chain else (mount.id,)
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()


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
        below = make_directory(top, "/" if mount.base.chain else mount.path)
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
