"""How a further node of a machine hangs on the first one's bridge: a link between their network namespaces.

Whatever leaves the node goes through the first one's namespace, where routes and wall keep the cluster's ranges in.
"""

import os
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from pybernetes.runtime.network import namespace
from pybernetes.runtime.network import rtnetlink as rt
from pybernetes.runtime.network.bridge import BridgeConfig, ensure_bridge

UPLINK = "eth0"
_EVERYWHERE = IPv4Network("0.0.0.0/0")
_MTU = 1500


def ensure_node(first: BridgeConfig, node: BridgeConfig, link: str, place: Path) -> None:
    """Make the node's network namespace at `place`, and lead the first one's packets there by `link`.

    For the first node's network namespace. Safe to repeat, also after half of it.
    """
    namespace.make(place)
    _ensure_link(first, node, link, place)
    with namespace.inside(place):
        _configure(first, node)
        ensure_bridge(node)


def remove_node(node: BridgeConfig, link: str, place: Path) -> None:
    """Take link, routes and namespace away. Safe to repeat."""
    channel = rt.Channel()
    try:
        channel.send(
            rt.delete_link(link),
            rt.delete_route(node.node_range),
            rt.delete_route(IPv4Network(node.address.ip)),
        )
    finally:
        channel.close()
    namespace.remove(place)


def _ensure_link(first: BridgeConfig, node: BridgeConfig, link: str, place: Path) -> None:
    channel = rt.Channel()
    try:
        bridge = channel.index(first.name)
        if bridge is None:
            raise OSError(f"bridge {first.name} is gone")
        if channel.index(link) is None:
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            try:
                channel.send(rt.new_veth(link, bridge, UPLINK, rt.mac_of(node.address.ip), descriptor, _MTU))
            finally:
                os.close(descriptor)
        channel.send(
            # What is translated here may go back where it came from: a node port of the first node that leads to a pod
            # of the node that asks. Where the kernel translates bridged packets, too, it is the bridge that sends it back.
            rt.set_hairpin(link),
            rt.add_route(IPv4Network(node.address.ip), link=bridge),
            rt.add_route(node.node_range, gateway=node.address.ip),
        )
    finally:
        channel.close()


def _configure(first: BridgeConfig, node: BridgeConfig) -> None:
    gateway = first.address.ip
    channel = rt.Channel()
    try:
        link = channel.index(UPLINK)
        if link is None:
            raise OSError(f"link {UPLINK} did not reach the node")
        channel.send(
            rt.set_up(link),
            rt.add_address(link, IPv4Interface(node.address.ip)),
            rt.add_route(IPv4Network(gateway), link=link),
            rt.add_route(node.pod_range, gateway=gateway),
            rt.add_route(_EVERYWHERE, gateway=gateway),
        )
    finally:
        channel.close()
    settings = Path("/proc/sys/net/ipv4/conf")
    (settings / UPLINK / "route_localnet").write_text("1")
    # The first node may say that another is its neighbour; but what is translated has to pass where it did before.
    (settings / "all" / "accept_redirects").write_text("0")
