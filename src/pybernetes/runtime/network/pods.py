"""Attach sandboxes to the bridge and detach them."""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address

from pybernetes.cri import types as t
from pybernetes.runtime.network import rtnetlink as rt
from pybernetes.runtime.network.addresses import Addresses
from pybernetes.runtime.network.bridge import BridgeConfig
from pybernetes.runtime.network.nftables import PRIORITY_DNAT, PRIORITY_SNAT, Table
from pybernetes.runtime.network.rules import HostPort, hairpin_rules, host_port_rules

_INTERFACE = "eth0"
_EVERYWHERE = IPv4Network("0.0.0.0/0")


class PodNetwork:
    """The pods' links on one bridge. Calls block, and are made from one thread at a time."""

    def __init__(self, config: BridgeConfig, addresses: Addresses, mtu: int) -> None:
        self._bridge = config.name
        self._addresses = addresses
        self._mtu = mtu
        self._host_ports: dict[str, list[HostPort]] = {}
        self._channel: rt.Channel | None = None

    def close(self) -> None:
        """Close the route-netlink socket; the next call opens another."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    @property
    def range(self) -> IPv4Network:
        """Where pods get their addresses from now."""
        return self._addresses.network

    def take_over(self, before: "PodNetwork") -> None:
        """The host ports of pods that had their addresses from another range; its socket is closed."""
        self._host_ports |= before._host_ports
        before.close()

    def link_name(self, sandbox_id: str) -> str:
        """The node's end of a sandbox's link: the bridge's name is in it, so that leftovers can be told."""
        return f"{self._bridge[:6]}.{sandbox_id[:8]}"

    def attach(self, sandbox_id: str, inside: rt.Channel, namespace: int) -> IPv4Address:
        """Give the namespace (`inside` is a socket of it, `namespace` its descriptor) a link, address and route."""
        address = self._addresses.take(sandbox_id)
        host = self._host()
        bridge = host.index(self._bridge)
        if bridge is None:
            raise OSError(f"bridge {self._bridge} is gone")
        name = self.link_name(sandbox_id)
        host.send(
            rt.new_veth(name, bridge, _INTERFACE, rt.mac_of(address), namespace, self._mtu),
            rt.set_hairpin(name),
        )
        link = inside.index(_INTERFACE)
        if link is None:
            raise OSError(f"link {_INTERFACE} did not reach the sandbox")
        gateway = self._addresses.gateway
        # No pod is a neighbour of another: what a pod answers goes through the node, which translated the question's
        # address, also where br_netfilter is not loaded.
        inside.send(
            rt.set_up(1),
            rt.set_up(link),
            rt.add_address(link, IPv4Interface(address)),
            rt.add_route(IPv4Network(gateway), link=link),
            rt.add_route(_EVERYWHERE, gateway=gateway),
        )
        return address

    def detach(self, sandbox_id: str) -> None:
        """Remove the link and the host ports, and give the address back. Safe to repeat."""
        self._host().send(rt.delete_link(self.link_name(sandbox_id)))
        if self._host_ports.pop(sandbox_id, None):
            self.write_ports()
        self._addresses.release(sandbox_id)

    def map_ports(self, sandbox_id: str, address: IPv4Address, mappings: Iterable[t.PortMapping]) -> None:
        """Lead the node's ports to the pod's."""
        if self.remember_ports(sandbox_id, address, mappings):
            self.write_ports()

    def remember_ports(self, sandbox_id: str, address: IPv4Address, mappings: Iterable[t.PortMapping]) -> bool:
        """Note a pod's host ports without writing the rules; says whether it has any."""
        ports = [_host_port(mapping, address) for mapping in mappings if mapping.host_port and _is_ours(mapping)]
        if ports:
            self._host_ports[sandbox_id] = ports
        return bool(ports)

    def sweep(self, known: set[str]) -> None:
        """Remove the links and addresses of sandboxes that nobody knows."""
        names = {self.link_name(sandbox_id) for sandbox_id in known}
        prefix = self.link_name("")
        host = self._host()
        for name in host.names():
            if name.startswith(prefix) and name not in names:
                host.send(rt.delete_link(name))
        for owner in set(self._addresses.taken().values()) - known:
            self._addresses.release(owner)

    def _host(self) -> rt.Channel:
        if self._channel is None:
            self._channel = rt.Channel()
        return self._channel

    def write_ports(self) -> None:
        """Replace the rules of all host ports in the kernel by what is known."""
        ports = [port for each in self._host_ports.values() for port in each]
        with Table(self._bridge) as table:
            for hook in ("prerouting", "output"):
                table.replace_chain(f"host-ports-{hook}", hook, PRIORITY_DNAT, host_port_rules(ports))
            table.replace_chain("host-ports-hairpin", "postrouting", PRIORITY_SNAT, hairpin_rules(ports))


def _is_ours(mapping: t.PortMapping) -> bool:
    """Pods have IPv4 addresses: a port of an IPv6 address leads to none of theirs."""
    return not mapping.host_ip or ip_address(mapping.host_ip).version == 4


def _host_port(mapping: t.PortMapping, address: IPv4Address) -> HostPort:
    anywhere = mapping.host_ip in ("", "0.0.0.0")
    return HostPort(
        protocol=mapping.protocol.name.lower(),
        host_port=mapping.host_port,
        host_address=None if anywhere else IPv4Address(mapping.host_ip),
        pod_address=address,
        pod_port=mapping.container_port,
    )


def loopback_only(inside: rt.Channel) -> None:
    """A sandbox without a network still has its loopback."""
    inside.send(rt.set_up(1))


def channel_from(fd: int) -> rt.Channel:
    """The route-netlink socket that came from another network namespace; takes the descriptor over."""
    return rt.Channel(socket.socket(fileno=fd))
