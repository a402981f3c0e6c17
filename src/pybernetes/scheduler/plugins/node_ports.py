"""NodePorts: a host port can be had once per address and protocol; "0.0.0.0" is every address."""

from __future__ import annotations

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import Rejection
from pybernetes.scheduler.pod import HostPort, PodInfo

ANY = "0.0.0.0"


def ports(pod: PodInfo, node: NodeState) -> Rejection | None:
    wanted = pod.needs.host_ports
    if not wanted or not any(conflicts(port, node) for port in wanted):
        return None
    return Rejection("NodePorts", ("node(s) didn't have free ports for the requested pod ports",), resolvable=True)


def conflicts(port: HostPort, node: NodeState) -> bool:
    address, protocol, number = port
    return any(
        count > 0 and (taken[1], taken[2]) == (protocol, number) and (address == ANY or taken[0] in (ANY, address))
        for taken, count in node.ports.items()
    )
