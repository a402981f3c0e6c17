"""The ends of a container's standard streams.

Output runs through named pipes of the container's directory, opened for reading and writing on both sides: the
container never sees a broken pipe, whatever becomes of its monitor, and another monitor can open them again.
"""

import fcntl
import os
from typing import NamedTuple

_TIOCGPTPEER = 0x5441


class Stdio(NamedTuple):
    """`container`: descriptors for its 0, 1, 2 (to be closed after the start); `output`: stream name to reading end."""

    container: tuple[int, int, int]
    output: dict[str, int]
    stdin: int | None


def open_stdio(directory: str, uid: int, stdin: bool) -> Stdio:
    """Pipes for a process of `uid` without a terminal, which gets an input only if it asked for one."""
    stdout, stdout_end = _open_pipe(os.path.join(directory, "stdout"), uid)
    stderr, stderr_end = _open_pipe(os.path.join(directory, "stderr"), uid)
    theirs, ours = os.pipe2(os.O_CLOEXEC) if stdin else (os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), None)
    if ours is not None:
        os.set_blocking(ours, False)
        os.fchown(theirs, uid, -1)
    return Stdio((theirs, stdout_end, stderr_end), {"stdout": stdout, "stderr": stderr}, ours)


def _open_pipe(path: str, uid: int) -> tuple[int, int]:
    if not os.path.exists(path):
        os.mkfifo(path, 0o600)
    os.chown(path, uid, -1)
    ours = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    return ours, os.open(path, os.O_RDWR | os.O_CLOEXEC)


def reopen_output(directory: str) -> dict[str, int]:
    """The reading ends again, of a container that runs."""
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
    return {stream: os.open(os.path.join(directory, stream), flags) for stream in ("stdout", "stderr")}


def hold_terminal(master: int) -> int:
    """Keep the other end open too, so that the terminal never hangs up while its container runs."""
    os.set_blocking(master, False)
    return fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
