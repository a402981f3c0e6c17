"""What has become of processes that a test knows by their ids."""

from __future__ import annotations

import contextlib
from pathlib import Path


def lives(pid: int) -> bool:
    """Whether there is such a process and it has not ended: an orphan that init has still to reap lives no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def command_lines() -> dict[int, bytes]:
    """What every process of this machine was started with, in words, by its id; those that end meanwhile are left out."""
    found: dict[int, bytes] = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found[int(path.parent.name)] = path.read_bytes().rstrip(b"\0").replace(b"\0", b" ")
    return found


def parent_of(pid: int) -> int:
    """0 if there is no such process (any more)."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
