"""One line of a log in CRI format: `<time> <stream> <P|F> <text>`."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from pybernetes.kubelet.volumes.mounting import open_beneath


class Record(Struct, frozen=True):
    """A part of a line; `text` ends with a newline unless the line goes on in the next record."""

    time: bytes
    stream: bytes
    text: bytes

    @property
    def is_partial(self) -> bool:
        return not self.text.endswith(b"\n")

    @property
    def moment(self) -> datetime:
        """Raises ValueError for a broken time."""
        return datetime.fromisoformat(self.time.decode())


def parse(line: bytes) -> Record | None:
    """A complete line of the file, with its newline; None for what is none of ours."""
    parts = line.split(b" ", 3)
    if len(parts) < 3 or not line.endswith(b"\n"):
        return None
    text = parts[3] if len(parts) == 4 else b"\n"
    if parts[2].split(b":")[0] == b"P":
        text = text[:-1]
    return Record(parts[0], parts[1], text)


@contextmanager
def open_directory(log: Path) -> Iterator[int]:
    """A descriptor of the directory that a log lies in. Raises OSError, also if a link leads there.

    Pod, container and file are the last three parts of the path: what is above them is the node's own.
    """
    root = os.open(log.parents[2], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        below = str(log.parent.relative_to(log.parents[2]))
        directory = open_beneath(root, below, os.O_PATH | os.O_DIRECTORY, symlinks=False)
    finally:
        os.close(root)
    try:
        yield directory
    finally:
        os.close(directory)


def open_log(path: Path) -> BinaryIO:
    """A file of a log. Raises OSError, also for what is none: pods with a hostPath here can leave links and pipes."""
    with open_directory(path) as directory:
        file = os.fdopen(open_beneath(directory, path.name, os.O_RDONLY | os.O_NONBLOCK, symlinks=False), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


def files_of(log: Path) -> list[Path]:
    """The log with its rotated parts, the oldest first. Parts are `<log>.<time>`, perhaps compressed."""
    parts = sorted(p for p in log.parent.glob(f"{log.name}.*") if not p.name.endswith(".tmp"))
    return [*parts, log] if log.exists() else parts
