"""What a start would make and change on this machine, told without making anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pybernetes.cluster import control, preflight
from pybernetes.cluster.errors import Problem
from pybernetes.cluster.lifecycle import check_changes, with_changes, with_free_ports
from pybernetes.cluster.owner import caller, user_path
from pybernetes.cluster.profile import Profile, load


@dataclass(frozen=True, slots=True)
class Plan:
    """`settings` as they would be kept, `makes` in words; with `problems` the start would fail."""

    profile: str
    status: str
    settings: Mapping[str, Any]
    makes: list[str]
    problems: list[Problem]


def plan(name: str, changes: Mapping[str, Any]) -> Plan:
    """Raises what a start would raise before it looks at the machine."""
    stored = load(name)
    check_changes(stored, changes, again=False)
    status = control.state(stored) if stored.exists() else "New"
    profile = with_changes(stored, changes)
    if not stored.exists():
        profile = with_free_ports(profile, changes)
    running = status == "Running"
    return Plan(
        profile=name,
        status=status,
        settings=asdict(profile.settings),
        makes=[] if running else makes(profile),
        problems=[] if running else preflight.check(profile),
    )


def makes(profile: Profile) -> list[str]:
    """Every place of the machine that a start touches."""
    settings = profile.settings
    always = [
        f"directories {profile.state} (state, logs, certificates) and {profile.run} (sockets)",
        f"context {profile.name!r} in {user_path(caller())}, made current",
        f"API server on 127.0.0.1:{settings.api_port}",
    ]
    if settings.simulated:
        return [*always, "processes apiserver, manager and simulator, under a supervisor; nothing else of the machine"]
    address = profile.node_address
    return [
        *always,
        f"bridge {profile.bridge} with {address}/24, and routes of {settings.pod_cidr} and {settings.service_cidr} to it",
        f"nftables tables {profile.bridge} and {profile.bridge}-services; IPv4 forwarding is switched on",
        f"ports of {address}: {settings.api_port} (API server), 10250 (kubelet), 10256 (proxy), 53 (DNS)",
        f"registry on 127.0.0.1:{settings.registry_port}, started when it is used",
        f"node ports {settings.node_ports} of this machine, as services take them",
        f"cgroups below {profile.first_node.cgroup}",
        *(f"node {node.name} in a network namespace of its own, {node.pod_cidr}" for node in profile.nodes[1:]),
        "processes apiserver, runtime, manager and an agent for each node, under a supervisor",
    ]
