"""Files in which the kubelet keeps what must outlive it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from pybernetes.aio.threads import Worker


def write_file(path: Path, data: bytes) -> None:
    """On the disk, in the place of the one before: whatever happens, one of the two is read. Blocking. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class KeptFile:
    """A file that is written again with each change, one writing after the other: the last one has all changes."""

    def __init__(self, path: Path, threads: Worker) -> None:
        self.path, self._threads = path, threads
        self._writing = asyncio.Lock()

    async def save(self, encoded: Callable[[], bytes]) -> None:
        """What `encoded` gives when it is this one's turn. Raises OSError."""
        async with self._writing:
            await self._threads.run(write_file, self.path, encoded())
