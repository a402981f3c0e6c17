"""Which kernel settings a pod may have of its own: those of its namespaces that disturb no other pod, and what the node's
administrator has allowed. Pure. The list is that of upstream's documentation ("safe sysctls")."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.sysctls import namespace_of, normal
from pybernetes.api.types import core_v1 as v1

SAFE = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
)


def checked_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """What an administrator allows, `net.core.*` for all below. Raises ValueError for what is the machine's."""
    found = tuple(map(normal, patterns))
    for pattern in found:
        if not namespace_of(pattern.rstrip("*")):
            raise ValueError(f'the sysctls "{pattern}" are not known to be namespaced')
    return found


def refusal(pod: v1.Pod, allowed: Sequence[str]) -> str:
    """Why the pod cannot have what it asks for; "" if it can."""
    context = pod.spec.security_context
    shared = {"Net": pod.spec.host_network, "IPC": pod.spec.host_ipc}
    for sysctl in context.sysctls if context else ():
        name = normal(sysctl.name)
        if not any(_matches(name, pattern) for pattern in (*SAFE, *allowed)):
            return f'forbidden sysctl: "{name}" not allowlisted'
        if shared.get(namespace := namespace_of(name)):
            return f'forbidden sysctl: "{name}" not allowed with host {namespace} enabled'
    return ""


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
