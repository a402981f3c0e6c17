"""Network namespaces that are kept by a file rather than by a process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.network import rtnetlink as rt


def make(path: Path) -> None:
    """Make a namespace with nothing but its loopback, pinned on `path`. Nothing happens if there is one already."""
    if is_pinned(path):
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with _coming_back():
        sys.unshare(sys.CLONE_NEWNET)
        channel = rt.Channel()
        channel.send(rt.set_up(1))
        channel.close()
        sys.mount("/proc/thread-self/ns/net", str(path), flags=sys.MS_BIND)


def enter(path: Path) -> None:
    """Move the calling thread into the namespace, for good."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sys.setns(descriptor, sys.CLONE_NEWNET)
    finally:
        os.close(descriptor)


@contextmanager
def inside(path: Path) -> Iterator[None]:
    """The calling thread is in the namespace while the block runs."""
    with _coming_back():
        enter(path)
        yield


def remove(path: Path) -> None:
    """Unpin it: it ends, with its links, once no process is in it. Safe to repeat."""
    sys.detach(path)
    path.unlink(missing_ok=True)


def is_pinned(path: Path) -> bool:
    """Whether a namespace is mounted on the file."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


@contextmanager
def _coming_back() -> Iterator[None]:
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            sys.setns(own, sys.CLONE_NEWNET)
        finally:
            os.close(own)
