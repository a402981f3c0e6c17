"""The end of processes, waited for by their pidfds where there are such (Linux), else looked for again and again."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time

PAUSE = 0.01


class Outsider:
    """A process that is no child of this one."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._descriptor = -1
        if sys.platform == "linux":
            self._descriptor = os.pidfd_open(pid)

    @property
    def waitable(self) -> list[int]:
        """Descriptors that can be read from once it has ended; none where it has to be looked for every `pause`."""
        return [self._descriptor] if self._descriptor >= 0 else []

    @property
    def pause(self) -> float | None:
        """Seconds after which to look again; None where `waitable` tells."""
        return None if self.waitable else PAUSE

    def has_ended(self) -> bool:
        if self._descriptor >= 0:
            return bool(select.select([self._descriptor], [], [], 0)[0])
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        return False

    def wait(self, seconds: float) -> bool:
        """Until it has ended; False if it lives on after so many seconds."""
        if self._descriptor >= 0:
            return bool(select.select([self._descriptor], [], [], seconds)[0])
        deadline = time.monotonic() + seconds
        while not self.has_ended() and time.monotonic() < deadline:
            time.sleep(PAUSE)
        return self.has_ended()

    def end(self, seconds: float) -> None:
        """Tell it to end (SIGTERM), and wait for that as long."""
        if self.has_ended():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        self.wait(seconds)


def reaped(pid: int, seconds: float, asked_by: socket.socket | None = None) -> bool:
    """Wait for a child of this process and reap it; False if it still lives after so many seconds.

    Patience ends at once when those who asked for it hang up.
    """
    others = [asked_by] if asked_by is not None else []
    if sys.platform != "linux":
        deadline = time.monotonic() + seconds
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() >= deadline or select.select(others, [], [], PAUSE)[0]:
                return False
        return True
    descriptor = os.pidfd_open(pid)
    try:
        watched: list[int | socket.socket] = [descriptor, *others]
        if descriptor not in select.select(watched, [], [], max(0.0, seconds))[0]:
            return False
    finally:
        os.close(descriptor)
    os.waitpid(pid, 0)
    return True
