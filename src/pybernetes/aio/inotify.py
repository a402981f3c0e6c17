"""Waiting for changes of files without polling (inotify(7))."""

import asyncio
import ctypes
import os
from pathlib import Path
from types import TracebackType

MODIFY = 0x2
CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
ENTRIES = CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
"""Changes of a directory's entries."""

_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """Watches that wake one waiter. Used as a context manager; needs a running event loop."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._descriptor = -1

    def __enter__(self) -> "Inotify":
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise _error("inotify_init1")
        asyncio.get_running_loop().add_reader(self._descriptor, self._drain)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def watch(self, path: Path, mask: int) -> None:
        """Begin to watch; watching again changes the mask. Raises OSError."""
        if _libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask) < 0:
            raise _error(str(path))

    async def wait(self) -> None:
        """Until something has changed since the last wait."""
        await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        """Let the waiter go on although no file has changed."""
        self._changed.set()

    def _drain(self) -> None:
        try:
            os.read(self._descriptor, 64 * 1024)
        except BlockingIOError:
            return
        self._changed.set()


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
