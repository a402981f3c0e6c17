"""The cluster's part of this machine's network, made before anything is sent and kept until `p8s delete`."""

from __future__ import annotations

from ipaddress import IPv4Network

from pybernetes.cluster.node import Node
from pybernetes.cluster.profile import Profile
from pybernetes.runtime.network.bridge import BridgeConfig, allow_range, ensure_bridge, refuse_range, remove_bridge
from pybernetes.runtime.network.namespace import is_pinned
from pybernetes.runtime.network.uplink import UPLINK, ensure_node, remove_node
from pybernetes.simulator.names import ADDRESSES


def bridge_of(node: Node) -> BridgeConfig:
    profile = node.profile
    return BridgeConfig(
        name=profile.bridge,
        node_range=IPv4Network(node.pod_cidr),
        pod_range=IPv4Network(profile.settings.pod_cidr),
        service_range=IPv4Network(profile.settings.service_cidr),
        uplink="" if node.is_first else UPLINK,
    )


def ensure(profile: Profile) -> None:
    """Bridge, address and routes: from now on no packet to a pod or service address leaves this machine.

    Nodes that are not stopped get their network namespaces and links. Safe to repeat.
    """
    ensure_bridge(bridge_of(profile.first_node))
    if profile.simulates:
        refuse_range(IPv4Network(ADDRESSES), profile.settings.index)
    for node in profile.nodes:
        if not node.stopped:
            attach(node)


def attach(node: Node) -> None:
    """Give a node that is not the first its network namespace and its link. Safe to repeat."""
    if node.namespace is not None:
        ensure_node(bridge_of(node.profile.first_node), bridge_of(node), node.bridge_link, node.namespace)


def is_attached(node: Node) -> bool:
    """Whether it has a network. The first node's is the machine's own."""
    return node.namespace is None or is_pinned(node.namespace)


def detach(node: Node) -> None:
    """Take the network of a node away that is not the first. Safe to repeat."""
    if node.namespace is not None:
        remove_node(bridge_of(node), node.bridge_link, node.namespace)


def remove(profile: Profile) -> None:
    """Take it all away again. Safe to repeat."""
    for node in profile.nodes:
        detach(node)
    remove_bridge(bridge_of(profile.first_node))
    if profile.simulates:
        allow_range(IPv4Network(ADDRESSES), profile.settings.index)
