"""CRI's resource limits as OCI's `linux.resources`."""

from typing import Any

from pybernetes.cri import types as t


def build_resources(given: t.LinuxContainerResources | None) -> dict[str, Any]:
    """Zero means not set, as proto3 has it. Swap is not granted beyond the memory limit unless asked for."""
    if given is None:
        return {}
    resources: dict[str, Any] = {}
    cpu = {
        "shares": given.cpu_shares,
        "quota": given.cpu_quota,
        "period": given.cpu_period,
        "cpus": given.cpuset_cpus,
        "mems": given.cpuset_mems,
    }
    if used := {key: value for key, value in cpu.items() if value}:
        resources["cpu"] = used
    if given.memory_limit_in_bytes:
        limit = given.memory_limit_in_bytes
        resources["memory"] = {"limit": limit, "swap": given.memory_swap_limit_in_bytes or limit}
    if given.unified:
        resources["unified"] = dict(given.unified)
    if pages := [{"pageSize": each.page_size, "limit": each.limit} for each in given.hugepage_limits]:
        resources["hugepageLimits"] = pages
    return resources
