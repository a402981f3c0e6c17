"""Pid files that a reused pid cannot fool: their process holds a record lock on them for as long as it lives."""

import fcntl
import os
import signal
from pathlib import Path

from pybernetes.cluster.endings import Outsider


def write(path: Path) -> None:
    """Note this process, until it ends. Record locks are a process's own: neither forks nor threads inherit them.

    Raises BlockingIOError if another process is noted there and lives.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())


def read(path: Path) -> int:
    """The id of the process noted there if it still lives, else 0. Never for one's own file: that would unlock it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return int(os.read(descriptor, 32) or 0)
    finally:
        os.close(descriptor)
    return 0


def wait_ended(path: Path, seconds: float) -> bool:
    """Until the noted process has ended; False if it lives on after so many seconds."""
    pid = read(path)
    if not pid:
        return True
    try:
        process = Outsider(pid)
    except ProcessLookupError:
        return True
    # The id may have become another's before it was opened.
    return read(path) != pid or process.wait(seconds)


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def end(path: Path, number: signal.Signals = signal.SIGTERM) -> bool:
    """Signal the noted process; False if it is gone already."""
    pid = read(path)
    if not pid:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
