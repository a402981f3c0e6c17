"""Which cgroup hierarchies this host has."""

import os
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple


class Hierarchy(NamedTuple):
    """A mounted hierarchy and the controllers that live on it; `unified` is cgroup v2."""

    mountpoint: str
    controllers: frozenset[str]
    unified: bool = False

    def at(self, cgroup: str) -> str:
        """The directory of the absolute cgroup path `cgroup`."""
        return os.path.join(self.mountpoint, cgroup.strip("/"))


_CONTROLLERS = {
    *("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb"),
    *("memory", "misc", "net_cls", "net_prio", "perf_event", "pids", "rdma"),
}


@cache
def find_hierarchies() -> tuple[Hierarchy, ...]:
    """Every hierarchy once, at its first mount point below /sys/fs/cgroup. Read once: a host does not change it."""
    with open("/proc/self/mountinfo") as file:
        lines = file.read().splitlines()
    found: dict[frozenset[str], Hierarchy] = {}
    for line in lines:
        hierarchy = _parse(line)
        if hierarchy is not None and hierarchy.mountpoint.startswith("/sys/fs/cgroup"):
            found.setdefault(hierarchy.controllers if not hierarchy.unified else frozenset(("",)), hierarchy)
    return tuple(found.values())


def _parse(line: str) -> Hierarchy | None:
    left, _, right = line.partition(" - ")
    mountpoint = left.split()[4]
    fstype, _, options = right.split(" ", 2)
    if fstype == "cgroup2":
        return Hierarchy(mountpoint, _unified_controllers(mountpoint), unified=True)
    if fstype == "cgroup":
        names = frozenset(options.split(","))
        return Hierarchy(mountpoint, names & _CONTROLLERS or frozenset(n for n in names if n.startswith("name=")))
    return None


def _unified_controllers(mountpoint: str) -> frozenset[str]:
    try:
        with open(os.path.join(mountpoint, "cgroup.controllers")) as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


def with_controller(hierarchies: Sequence[Hierarchy], controller: str) -> Hierarchy | None:
    """The hierarchy that has `controller`, if any."""
    return next((each for each in hierarchies if controller in each.controllers), None)
