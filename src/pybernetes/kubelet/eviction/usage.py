"""How much of the disk is used below a directory. Blocking."""

from __future__ import annotations

import os
from pathlib import Path


def bytes_below(directory: Path) -> int:
    """Blocks in use, each file once whatever its names; what is mounted below is somebody else's.

    Files that go while this looks are not there.
    """
    try:
        device = os.stat(directory).st_dev
    except OSError:
        return 0
    total, seen, waiting = 0, set[int](), [str(directory)]
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                try:
                    stat = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if stat.st_dev != device or stat.st_ino in seen:
                    continue
                seen.add(stat.st_ino)
                total += stat.st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return total
