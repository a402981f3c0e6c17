"""The logs of a cluster's processes."""

from collections import deque
from pathlib import Path


def last_lines(path: Path, count: int) -> list[str]:
    """The end of a log, without line ends; nothing if there is no such log."""
    try:
        with path.open(errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []
