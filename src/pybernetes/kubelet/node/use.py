"""What a node uses: the machine's, or its own cgroup's where several nodes share a machine. Blocking, and cheap."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pybernetes.kubelet.node.machine import read_cpu_seconds, read_meminfo

CGROUPS = Path("/sys/fs/cgroup")


class Use(NamedTuple):
    """CPU seconds since its start, and bytes in use that could not be given back at once."""

    cpu_seconds: float
    working_set: int


def machine_use() -> Use:
    memory = read_meminfo()
    return Use(read_cpu_seconds(), memory.get("MemTotal", 0) - memory.get("MemAvailable", 0))


def cgroup_use(cgroup: str, root: Path = CGROUPS) -> Use:
    """Of all that is in the cgroup or below it; of one that is not there, nothing. v1, hybrid and v2."""
    name = cgroup.strip("/")
    unified = root / name
    if (root / "cgroup.controllers").exists():
        seconds = _field(unified / "cpu.stat", "usage_usec") / 1e6
        used, idle = _number([unified / "memory.current"]), _field(unified / "memory.stat", "inactive_file")
    else:
        seconds = _number(root / place / name / "cpuacct.usage" for place in ("cpuacct", "cpu,cpuacct")) / 1e9
        memory = root / "memory" / name
        used, idle = _number([memory / "memory.usage_in_bytes"]), _field(memory / "memory.stat", "total_inactive_file")
    return Use(seconds, max(0, used - idle))


def _number(paths: Iterable[Path]) -> int:
    """What the first file that is there holds."""
    return next((int(text) for path in paths if (text := _read(path))), 0)


def _field(path: Path, name: str) -> int:
    found = dict(line.split(maxsplit=1) for line in _read(path).splitlines())
    return int(found.get(name, 0))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
