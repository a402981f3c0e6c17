"""The roots of steps: layers mounted under a name of their own, which is gone with the step."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pybernetes.runtime.snapshots.service import Snapshots


class Root:
    """`path` is where it is mounted, `fd` a descriptor of it; `upper` holds what is written there."""

    def __init__(self, snapshots: Snapshots, name: str, path: Path) -> None:
        self._snapshots = snapshots
        self._name = name
        self.path = path
        self.upper = path.with_name("upper")
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    async def release(self) -> None:
        """Unmount it, so that `upper` can be taken. Safe to repeat."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            await self._snapshots.unmount(self._name)


@asynccontextmanager
async def open_root(
    snapshots: Snapshots, chain: str, name: str, stubs: Callable[[int], None] | None = None
) -> AsyncIterator[Root]:
    """The layers up to `chain`, writable while the block runs; see `Snapshots.mount_layers`. `name` is a new id."""
    try:
        root = Root(snapshots, name, await snapshots.mount_layers(chain, name, stubs))
        try:
            yield root
        finally:
            await asyncio.shield(root.release())
    finally:
        await asyncio.shield(snapshots.remove(name))
