"""OCI `linux.resources` written to a cgroup."""

import math
import os
from typing import Any

from pybernetes.runtime.cgroups.devices import allow_devices
from pybernetes.runtime.cgroups.group import Cgroup, write


def apply_limits(cgroup: Cgroup, resources: dict[str, Any]) -> None:
    """Set what `resources` (OCI runtime spec 1.1) names; what it does not name stays. Repeatable."""
    values = {**_cpu(cgroup, resources.get("cpu", {})), **_memory(cgroup, resources.get("memory", {}))}
    if "pids" in resources:
        limit = resources["pids"]["limit"]
        values["pids", "pids.max"] = str(limit) if limit > 0 else "max"
    for each in resources.get("hugepageLimits", []):
        suffix = "max" if cgroup.has_unified("hugetlb") else "limit_in_bytes"
        values["hugetlb", f"hugetlb.{each['pageSize']}.{suffix}"] = str(each["limit"])
    for key, value in resources.get("unified", {}).items():
        values[key.partition(".")[0], key] = value
    for (controller, name), value in values.items():
        _set(cgroup, controller, name, value)
    if "devices" in resources:
        allow_devices(cgroup, resources["devices"])


def _cpu(cgroup: Cgroup, cpu: dict[str, Any]) -> dict[tuple[str, str], str]:
    values: dict[tuple[str, str], str] = {}
    shares, quota, period = cpu.get("shares", 0), cpu.get("quota", 0), cpu.get("period", 0) or 100_000
    if cgroup.has_unified("cpu"):
        if shares:
            values["cpu", "cpu.weight"] = str(weight_of(shares))
        if quota:
            values["cpu", "cpu.max"] = f"{quota if quota > 0 else 'max'} {period}"
    else:
        if shares:
            values["cpu", "cpu.shares"] = str(shares)
        if quota:
            values["cpu", "cpu.cfs_period_us"] = str(period)
            values["cpu", "cpu.cfs_quota_us"] = str(quota)
    for name in ("cpus", "mems"):
        if cpu.get(name):
            values["cpuset", f"cpuset.{name}"] = cpu[name]
    return values


def weight_of(shares: int) -> int:
    """A v1 share (2 to 262144, by default 1024) as a v2 weight (1 to 10000, by default 100), as runc 1.4 and crun 1.23.

    A curve through all three pairs: on a line, 1024 shares were 39, less than what has no weight set beside the pods.
    """
    if not 2 < shares < 262144:
        return 1 if shares <= 2 else 10000
    doublings = math.log2(shares)
    return math.ceil(10 ** ((doublings * doublings + 125 * doublings) / 612 - 7 / 34))


def _memory(cgroup: Cgroup, memory: dict[str, Any]) -> dict[tuple[str, str], str]:
    """A memory limit is one for swap too: what may not be used as memory shall not be used as swap."""
    limit = memory.get("limit", 0)
    if not limit:
        return {}
    if cgroup.has_unified("memory"):
        swap = memory.get("swap") or limit
        return {
            ("memory", "memory.max"): str(limit) if limit > 0 else "max",
            ("memory", "memory.swap.max"): "max" if swap < 0 else str(max(0, swap - limit)),
        }
    return {
        ("memory", "memory.limit_in_bytes"): str(limit),
        ("memory", "memory.memsw.limit_in_bytes"): str(memory.get("swap") or limit),
    }


_OPTIONAL = {"memory.swap.max", "memory.memsw.limit_in_bytes", "memory.oom.group"}


def _set(cgroup: Cgroup, controller: str, name: str, value: str) -> None:
    directory = cgroup.directory(controller)
    file = os.path.join(directory or "", name)
    if name in _OPTIONAL and not os.path.exists(file):
        return
    if directory is None:
        raise OSError(f"cgroup: controller `{controller}` is not available")
    try:
        write(file, value)
    except OSError:
        if not _raises_memory_first(cgroup, name, value):
            raise


def _raises_memory_first(cgroup: Cgroup, name: str, value: str) -> bool:
    """On v1 memory may not exceed memory and swap together, so that a raise has to start with the latter."""
    if name != "memory.limit_in_bytes":
        return False
    _set(cgroup, "memory", "memory.memsw.limit_in_bytes", value)
    directory = cgroup.directory("memory")
    if directory is None:
        return False
    write(os.path.join(directory, name), value)
    return True
