"""A timer at a moment of the wall clock, which also goes off when somebody sets the clock (timerfd_create(2)).

Python has `os.timerfd_create` from 3.13 on. Systems that have no such timers get one that looks at the clock every hour.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Protocol, Self

_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK
_ABSOLUTE_CANCEL_ON_SET = 0b11
FAR = 1 << 40
"""Seconds beyond any renewal: a timer that is only there for the jumps of the clock."""


LOOK_SECONDS = 3600.0


class Timer(Protocol):
    """Readable once it has gone off. For one process: a fork closes its copy."""

    def fileno(self) -> int: ...

    def arm(self, moment: float) -> None:
        """Go off at `moment` (Unix seconds; at once if it has passed), or earlier when the clock is set."""
        ...

    def acknowledge(self) -> None:
        """Make it unreadable again, until it is armed anew."""
        ...

    def close(self) -> None: ...


def wall_timer() -> Timer:
    """The best that this system has."""
    return WallTimer() if sys.platform == "linux" else AlarmTimer()


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class WallTimer:
    """A `Timer` of the kernel's."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._checked(self._libc.timerfd_create(time.CLOCK_REALTIME, _CLOEXEC_NONBLOCK))

    def fileno(self) -> int:
        return self._descriptor

    def arm(self, moment: float) -> None:
        seconds = max(0.001, min(moment, FAR))
        whole = int(seconds)
        value = _Timespec(whole, int((seconds - whole) * 1e9))
        spec = _Itimerspec(_Timespec(0, 0), value)
        self._checked(self._libc.timerfd_settime(self._descriptor, _ABSOLUTE_CANCEL_ON_SET, ctypes.byref(spec), None))

    def acknowledge(self) -> None:
        """A read after the clock was set fails with ECANCELED."""
        try:
            os.read(self._descriptor, 8)
        except OSError:
            return

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, result: int) -> int:
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result


class AlarmTimer:
    """A `Timer` made of SIGALRM: it goes off at least once an hour, since nobody says when the clock is set."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        signal.signal(signal.SIGALRM, self._ring)

    def _ring(self, *_: object) -> None:
        os.write(self._writer, b"!")

    def fileno(self) -> int:
        return self._reader

    def arm(self, moment: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, min(LOOK_SECONDS, max(0.001, moment - time.time())))

    def acknowledge(self) -> None:
        try:
            os.read(self._reader, 64)
        except BlockingIOError:
            return

    def close(self) -> None:
        for end in (self._reader, self._writer):
            os.close(end)
