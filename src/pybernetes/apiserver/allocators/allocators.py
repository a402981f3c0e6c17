"""The allocators of one server."""

import ipaddress
from random import Random, SystemRandom

from msgspec import Struct

from pybernetes.apiserver.allocators.addresses import Addresses
from pybernetes.apiserver.allocators.node_ports import NodePorts
from pybernetes.apiserver.allocators.ranges import Network, port_range
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.registry.registry import Registry


class Allocators(Struct, frozen=True):
    """What services share; see each."""

    addresses: Addresses
    node_ports: NodePorts


def service_networks(options: Options) -> list[Network]:
    """The networks of `--service-cluster-ip-range`, the cluster's own family first. Raises ValueError."""
    return [ipaddress.ip_network(text.strip()) for text in options.service_cluster_ip_range.split(",")]


def make_allocators(options: Options, registry: Registry, random: Random | None = None) -> Allocators:
    """Follow the services from now on. Raises ValueError for malformed ranges."""
    chosen = random or SystemRandom()
    node_ports = NodePorts(port_range(options.service_node_port_range), chosen)

    def on_change(old: Item | None, new: Item | None) -> None:
        node_ports.change(old.tree if old else None, new.tree if new else None)

    addresses = Addresses(service_networks(options), registry, chosen)

    def on_range(old: Item | None, new: Item | None) -> None:
        addresses.change(old.tree if old else None, new.tree if new else None)

    registry.subscribe(builtin("", "v1", "services"), on_change)
    registry.subscribe(builtin("networking.k8s.io", "v1", "servicecidrs"), on_range)
    return Allocators(addresses, node_ports)
