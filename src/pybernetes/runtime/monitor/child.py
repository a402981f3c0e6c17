"""How a monitor learns of its container's end: as its parent, or through a pidfd if another monitor was the parent."""

import fcntl
import os
import signal
import struct
import time

from pybernetes.runtime import syscalls as sys

_GET_INFO, _INFO_SIZE, _INFO_EXIT = 0xC040FF0B, 64, 1 << 3
_EXIT_CODE_OFFSET = 60
_STAT_STARTED, _STAT_STATE, _STAT_EXIT_CODE = 19, 0, 49
_PATIENCE_SECONDS = 1.0
_UNKNOWN = 255 << 8


class Child:
    """A child of this process, which also takes in whatever else is orphaned to it.

    Like Orphan it has a `pid`, an `fd` that is readable when there may be news, and a `status`: its wait status, once it has ended.
    """

    def __init__(self) -> None:
        self.fd, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.pid = 0
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def status(self) -> int | None:
        """The container's process is left unreaped: its end can be asked for by others until this one has noted it."""
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            return None
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            while (ended := os.waitid(os.P_ALL, 0, options)) is not None:
                if ended.si_pid == self.pid:
                    return ended.si_status << 8 if ended.si_code == os.CLD_EXITED else ended.si_status
                os.waitpid(ended.si_pid, 0)
        except ChildProcessError:
            return None
        return None

    def forget(self) -> None:
        """Its end is noted."""
        os.waitpid(self.pid, 0)


class Orphan:
    """A process that somebody else reaps, known by a descriptor that somebody has kept of it."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self.fd = descriptor

    def status(self) -> int:
        """From the pidfd (Linux 6.15), or from what is left of the process before it is reaped."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = self._from_pidfd()
            if found is None:
                found = self._from_stat()
            if found is not None:
                return found
            time.sleep(0.005)
        return _UNKNOWN

    def forget(self) -> None:
        """Somebody else does."""

    def _from_pidfd(self) -> int | None:
        info = bytearray(struct.pack("Q", _INFO_EXIT).ljust(_INFO_SIZE, b"\0"))
        try:
            fcntl.ioctl(self.fd, _GET_INFO, info)
        except OSError:
            return None
        if not struct.unpack_from("Q", info)[0] & _INFO_EXIT:
            return None
        return int(struct.unpack_from("i", info, _EXIT_CODE_OFFSET)[0])

    def _from_stat(self) -> int | None:
        try:
            fields = _stat(self.pid)
        except OSError:
            return None
        return int(fields[_STAT_EXIT_CODE]) if fields[_STAT_STATE] == "Z" else None


def hold(pid: int, started: int) -> int:
    """A descriptor of the process that began at `started`. Raises OSError if `pid` is not that process any more."""
    descriptor = sys.pidfd_open(pid)
    try:
        if start_time(pid) != started:
            raise ProcessLookupError(f"process {pid} is another one now")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def start_time(pid: int) -> int:
    """When the process began, in ticks since boot: with the pid it names one process for ever."""
    return int(_stat(pid)[_STAT_STARTED])


def _stat(pid: int) -> list[str]:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()
