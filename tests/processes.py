"""What has become of processes that a test knows by their ids."""

from __future__ import annotations

from pathlib import Path


def lives(pid: int) -> bool:
    """Whether there is such a process and it has not ended: an orphan that init has still to reap lives no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
