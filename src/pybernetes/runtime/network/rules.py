"""What the node's table holds: the way out for pods, the wall around their ranges, and host ports. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from msgspec import Struct

from pybernetes.runtime.network import nftables as nft

_LOOPBACK = IPv4Network("127.0.0.0/8")


class HostPort(Struct, frozen=True):
    """A port of the node that leads to a pod's. `host_address` None: any address of the node."""

    protocol: str
    host_port: int
    host_address: IPv4Address | None
    pod_address: IPv4Address
    pod_port: int


def leave_rules(bridge: str, uplink: str, pods: IPv4Network) -> list[nft.Rule]:
    """Loopback reaches pods under the node's address, and pods the world: by an `uplink`, the first node sees to that."""
    loopback = [nft.source_in(_LOOPBACK) + nft.leaves_by(link) + nft.masquerade() for link in (bridge, uplink) if link]
    if uplink:
        return loopback
    out = nft.destination_in(pods, inside=False) + nft.leaves_by(bridge, equal=False)
    return [nft.source_in(pods) + out + nft.masquerade(), *loopback]


def wall_rules(links: Iterable[str], range: IPv4Network) -> list[nft.Rule]:
    """Nothing for this range of the cluster's goes out by another link."""
    elsewhere = [part for link in (*links, "lo") for part in nft.leaves_by(link, equal=False)]
    return [nft.destination_in(range) + elsewhere + nft.drop()]


def host_port_rules(ports: Iterable[HostPort]) -> list[nft.Rule]:
    return [
        (nft.to_local_address() if port.host_address is None else nft.destination_in(IPv4Network(port.host_address)))
        + nft.to_port(port.protocol, port.host_port)
        + nft.redirect_to(port.pod_address, port.pod_port)
        for port in ports
    ]


def hairpin_rules(ports: Iterable[HostPort]) -> list[nft.Rule]:
    """A pod that reaches itself by its host port must see the node as the other side."""
    pods = sorted({IPv4Network(port.pod_address) for port in ports})
    return [nft.source_in(pod) + nft.destination_in(pod) + nft.masquerade() for pod in pods]
