"""Pid files that a reused pid cannot fool: they hold the process's start time beside its id."""

import os
import signal
from pathlib import Path


def start_time(pid: int) -> str:
    """The process's start in clock ticks since boot; empty if there is none such, or only its zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat[stat.rindex(")") + 2 :].split()
    return "" if fields[0] == "Z" else fields[19]


def write(path: Path, pid: int = 0) -> None:
    """Note a process (this one if `pid` is 0)."""
    pid = pid or os.getpid()
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(f"{pid} {start_time(pid)}\n")
    temporary.replace(path)


def read(path: Path) -> int:
    """The id of the process noted there if it still lives, else 0."""
    try:
        pid, started = path.read_text().split()
    except (FileNotFoundError, ValueError):
        return 0
    return int(pid) if start_time(int(pid)) == started else 0


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
