"""The cluster's part of this machine's network, made before anything is sent and kept until `p8s delete`."""

from __future__ import annotations

from ipaddress import IPv4Network

from pybernetes.cluster.profile import Profile
from pybernetes.runtime.network.bridge import BridgeConfig, ensure_bridge, remove_bridge


def bridge_of(profile: Profile) -> BridgeConfig:
    return BridgeConfig(
        name=profile.bridge,
        node_range=IPv4Network(profile.first_node.pod_cidr),
        pod_range=IPv4Network(profile.settings.pod_cidr),
        service_range=IPv4Network(profile.settings.service_cidr),
    )


def ensure(profile: Profile) -> None:
    """Bridge, address and routes: from now on no packet to a pod or service address leaves this machine."""
    ensure_bridge(bridge_of(profile))


def remove(profile: Profile) -> None:
    """Take them away again. Safe to repeat."""
    remove_bridge(bridge_of(profile))
