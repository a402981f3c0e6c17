"""Changes of a directory's entries, where the system tells them (inotify), else looked for again and again.

Without an event loop: for `p8s` itself, which has none when it begins.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from pathlib import Path
from types import TracebackType

CREATE = 0x100 | 0x80
DELETE = 0x200 | 0x400
"""Masks of inotify(7): an entry comes (IN_CREATE, IN_MOVED_TO), an entry or the directory goes (IN_DELETE, IN_DELETE_SELF)."""
PAUSE = 0.01


class Entries:
    """A directory that is watched while the block runs. One that is not there, or cannot be watched, is looked at often."""

    def __init__(self, directory: Path, mask: int) -> None:
        self._directory, self._mask = directory, mask
        self._descriptor = -1

    def __enter__(self) -> Entries:
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            return self
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor >= 0:
            watch = libc.inotify_add_watch(self._descriptor, os.fsencode(self._directory), self._mask)
            if watch < 0:
                self._close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def wait(self, seconds: float) -> None:
        """Until something has changed since the block began or the last wait; as long at most."""
        if self._descriptor < 0:
            time.sleep(min(PAUSE, seconds))
        elif select.select([self._descriptor], [], [], seconds)[0]:
            os.read(self._descriptor, 64 * 1024)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
