"""Counters of a cgroup, as CRI reports them."""

import os

from msgspec import Struct

from pybernetes.runtime.cgroups.group import Cgroup


class Usage(Struct, frozen=True):
    """CPU in nanoseconds since the start, memory in bytes. None: the host does not count it."""

    cpu: int | None = None
    memory: int | None = None
    working_set: int | None = None
    rss: int | None = None
    page_faults: int | None = None
    major_page_faults: int | None = None
    limit: int | None = None
    swap: int | None = None
    processes: int | None = None


def read_usage(cgroup: Cgroup) -> Usage:
    """The usage now; all None for a cgroup that is gone. Blocks for microseconds."""
    return _v1(cgroup) if cgroup.directory("cpuacct") else _unified(cgroup)


def _unified(cgroup: Cgroup) -> Usage:
    directory = cgroup.unified or ""
    memory = _number(directory, "memory.current")
    detail = _table(directory, "memory.stat")
    cpu = _table(directory, "cpu.stat").get("usage_usec")
    return Usage(
        cpu=None if cpu is None else cpu * 1000,
        memory=memory,
        working_set=_working_set(memory, detail.get("inactive_file", 0)),
        rss=detail.get("anon"),
        page_faults=detail.get("pgfault"),
        major_page_faults=detail.get("pgmajfault"),
        limit=_number(directory, "memory.max"),
        swap=_number(directory, "memory.swap.current"),
        processes=_number(directory, "pids.current"),
    )


def _v1(cgroup: Cgroup) -> Usage:
    directory = cgroup.directory("memory") or ""
    memory = _number(directory, "memory.usage_in_bytes")
    detail = _table(directory, "memory.stat")
    limit = _number(directory, "memory.limit_in_bytes")
    return Usage(
        cpu=_number(cgroup.directory("cpuacct") or "", "cpuacct.usage"),
        memory=memory,
        working_set=_working_set(memory, detail.get("total_inactive_file", 0)),
        rss=detail.get("total_rss"),
        page_faults=detail.get("total_pgfault"),
        major_page_faults=detail.get("total_pgmajfault"),
        limit=limit if limit is not None and limit < 1 << 60 else None,
        swap=detail.get("total_swap"),
        processes=_number(cgroup.directory("pids") or "", "pids.current"),
    )


def _working_set(memory: int | None, inactive_file: int) -> int | None:
    """What cannot be dropped at once: usage without the page cache that was not touched lately."""
    return None if memory is None else max(0, memory - inactive_file)


def _number(directory: str, name: str) -> int | None:
    try:
        with open(os.path.join(directory, name)) as file:
            text = file.read().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _table(directory: str, name: str) -> dict[str, int]:
    try:
        with open(os.path.join(directory, name)) as file:
            return {key: int(value) for key, value in (line.split() for line in file)}
    except OSError:
        return {}
