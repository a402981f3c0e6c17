"""The node's bridge: its address, the routes that keep pod and service packets here, and the way out for pods."""

from contextlib import closing
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from msgspec import Struct

from pybernetes.runtime.network import nftables as nft
from pybernetes.runtime.network import rtnetlink as rt
from pybernetes.runtime.network.nftables import PRIORITY_FILTER, PRIORITY_SNAT, Table
from pybernetes.runtime.network.rules import leave_rules, wall_rules

_FALLBACK_METRIC = 1 << 20


class BridgeConfig(Struct, frozen=True):
    """`name` of the bridge and of its nftables table; `node_range` is this node's part of `pod_range`.

    `uplink` is the link to the first node, for one that has a network namespace of its own.
    """

    name: str
    node_range: IPv4Network
    pod_range: IPv4Network
    service_range: IPv4Network
    uplink: str = ""

    @property
    def address(self) -> IPv4Interface:
        """The node's address: the gateway of its pods."""
        return IPv4Interface((self.node_range[1], self.node_range.prefixlen))

    @property
    def load_balancer_range(self) -> IPv4Network:
        """The end of the pod range, which no node gets: addresses that the proxies answer for, as for services."""
        return IPv4Network((self.pod_range[-256], 24))

    @property
    def ranges(self) -> tuple[IPv4Network, IPv4Network]:
        return self.pod_range, self.service_range


def ensure_bridge(config: BridgeConfig) -> None:
    """Make the bridge with its address and routes if they are missing. Safe to repeat; blocks for milliseconds.

    The routes come before anything can use the ranges: a packet to an address that nobody has ends here.
    """
    channel = rt.Channel()
    try:
        channel.send(*(rt.add_route(each, unreachable=True, metric=_FALLBACK_METRIC) for each in config.ranges))
        channel.send(rt.new_bridge(config.name, rt.mac_of(config.address.ip)))
        link = channel.index(config.name)
        if link is None:
            raise OSError(f"bridge {config.name} could not be made")
        channel.send(
            rt.set_up(link),
            rt.add_address(link, config.address),
            rt.add_route(config.service_range, link=link),
            rt.add_route(config.load_balancer_range, link=link),
        )
    finally:
        channel.close()
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path(f"/proc/sys/net/ipv4/conf/{config.name}/route_localnet").write_text("1")
    with Table(config.name) as table:
        table.replace_chain("wall", "postrouting", PRIORITY_FILTER, _wall(config))
        table.replace_chain(
            "leave", "postrouting", PRIORITY_SNAT, leave_rules(config.name, config.uplink, config.pod_range)
        )


def _wall(config: BridgeConfig) -> list[nft.Rule]:
    """Pods of other nodes are reached by the uplink; services are translated before."""
    links = (config.name, config.uplink) if config.uplink else (config.name,)
    return [*wall_rules(links, config.pod_range), *wall_rules((config.name,), config.service_range)]


def remove_bridge(config: BridgeConfig) -> None:
    """Remove the bridge, the routes of its ranges and its nftables table. Safe to repeat."""
    channel = rt.Channel()
    try:
        channel.send(rt.delete_link(config.name))
        channel.send(*(rt.delete_route(each, metric=_FALLBACK_METRIC) for each in config.ranges))
    finally:
        channel.close()
    with Table(config.name) as table:
        table.delete()


def refuse_range(network: IPv4Network, index: int) -> None:
    """No packet to these addresses leaves the machine. `index` tells several who want this apart; safe to repeat."""
    with closing(rt.Channel()) as channel:
        channel.send(rt.add_route(network, unreachable=True, metric=_FALLBACK_METRIC + index))


def allow_range(network: IPv4Network, index: int) -> None:
    """Take it back. Safe to repeat."""
    with closing(rt.Channel()) as channel:
        channel.send(rt.delete_route(network, metric=_FALLBACK_METRIC + index))
