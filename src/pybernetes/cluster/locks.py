"""One verb at a time: locks between p8s commands that leave no file behind, and that no fork inherits."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pybernetes.cluster import profile
from pybernetes.cluster.entries import DELETE, Entries

CHECK_SECONDS = 0.1
"""How often who waits looks up: for Ctrl-C, and for a holder that was killed, which takes no file away."""


def nothing() -> None:
    return None


def of_profile(
    name: str, waiting: Callable[[], None] = nothing, check: Callable[[], None] = nothing
) -> contextlib.AbstractContextManager[None]:
    """Held by the verb that is at work on a cluster.

    If another is, `waiting` is called once, and then `check` again and again: it raises to give up.
    """
    return held(profile.run_root() / f"{profile.check_name(name)}.lock", waiting, check)


def of_machine() -> contextlib.AbstractContextManager[None]:
    """Held while ranges are given to a new profile. No profile's name begins with a dot."""
    return held(profile.run_root() / ".machine.lock")


@contextlib.contextmanager
def held(path: Path, waiting: Callable[[], None] = nothing, check: Callable[[], None] = nothing) -> Iterator[None]:
    """Hold the lock of this file, which exists only as long as somebody does."""
    descriptor = _acquire(path)
    if descriptor is None:
        check()
        waiting()
        descriptor = _awaited(path, check)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):
            path.parent.rmdir()
            if path.parent.name.startswith("."):  # a user's, inside what keeps their state
                path.parent.parent.rmdir()


def _awaited(path: Path, check: Callable[[], None]) -> int:
    """The lock, once its holder has taken the file away."""
    while True:
        with Entries(path.parent, DELETE) as entries:
            descriptor = _acquire(path)
            if descriptor is not None:
                return descriptor
            entries.wait(CHECK_SECONDS)
        check()


def _acquire(path: Path) -> int | None:
    """None if somebody else holds it, or has just taken the file away with which they did."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    if descriptor >= 0:
        os.close(descriptor)
    return None
