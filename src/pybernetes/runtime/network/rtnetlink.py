"""Links, addresses and routes over a route-netlink socket, several requests in one send.

Written out rather than through pyroute2, whose import takes longer (0.3 s) than a cluster may take to start.
"""

import errno
import socket
import struct
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import NamedTuple

from pybernetes.wire import netlink as nl

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE, _DELROUTE = 16, 17, 18, 20, 24, 25
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 4, 10, 18, 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_VETH_PEER, _BRPORT_HAIRPIN = 1, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC = 1, 4, 5, 6, 7
_UP = 1
_DONE_ALREADY = (errno.EEXIST, errno.ENODEV, errno.ESRCH, errno.ENOENT)
_TABLE_MAIN, _PROTOCOL_STATIC = 254, 4
_UNICAST, _UNREACHABLE = 1, 7
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255


class Request(NamedTuple):
    """One message still without its number. `repeatable`: already there, or already gone, is success."""

    kind: int
    flags: int
    body: bytes
    repeatable: bool = False


class Channel:
    """A route-netlink socket, in the network namespace in which it was opened. Calls block, for microseconds."""

    def __init__(self, connection: socket.socket | None = None) -> None:
        self._socket = connection or socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.settimeout(10)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, *requests: Request) -> None:
        """Carry out the requests in order. Raises the OSError of the first that fails, after all were tried."""
        first = self._sequence + 1
        data = b""
        for request in requests:
            self._sequence += 1
            data += nl.message(request.kind, request.flags | nl.REQUEST | nl.ACK, self._sequence, request.body)
        self._socket.send(data)
        failures: dict[int, OSError] = {}
        awaited = set(range(first, self._sequence + 1))
        while awaited:
            for answer in nl.messages(self._socket.recv(65536)):
                if answer.kind == nl.ERROR and answer.sequence in awaited:
                    awaited.discard(answer.sequence)
                    error = nl.error_of(answer)
                    repeatable = requests[answer.sequence - first].repeatable
                    if error is not None and not (repeatable and error.errno in _DONE_ALREADY):
                        failures[answer.sequence] = error
        if failures:
            raise failures[min(failures)]

    def index(self, name: str) -> int | None:
        """The index of a link; None if there is none of that name."""
        self._sequence += 1
        body = _link() + nl.text(_IFLA_IFNAME, name)
        self._socket.send(nl.message(_GETLINK, nl.REQUEST, self._sequence, body))
        while True:
            for answer in nl.messages(self._socket.recv(65536)):
                if answer.sequence != self._sequence:
                    continue
                if answer.kind == nl.ERROR:
                    return None
                return int(struct.unpack_from("=BxHi", answer.body)[2])

    def names(self) -> list[str]:
        """Every link of the namespace."""
        self._sequence += 1
        self._socket.send(nl.message(_GETLINK, nl.REQUEST | nl.DUMP, self._sequence, _link()))
        found: list[str] = []
        while True:
            for answer in nl.messages(self._socket.recv(1 << 20)):
                if answer.kind in (nl.DONE, nl.ERROR):
                    return found
                found.append(nl.attributes(answer.body[16:])[_IFLA_IFNAME].rstrip(b"\0").decode())


def _link(index: int = 0, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


def new_bridge(name: str, mac: bytes) -> Request:
    info = nl.nested(_IFLA_LINKINFO, nl.text(_INFO_KIND, "bridge"))
    body = _link(flags=_UP) + nl.text(_IFLA_IFNAME, name) + nl.attribute(_IFLA_ADDRESS, mac) + info
    return Request(_NEWLINK, nl.CREATE | nl.EXCL, body, repeatable=True)


def new_veth(name: str, bridge: int, peer: str, peer_mac: bytes, namespace: int, mtu: int) -> Request:
    """A pair of links: `name` here, up and on the bridge; `peer` in the network namespace open as `namespace`."""
    other = (
        _link()
        + nl.text(_IFLA_IFNAME, peer)
        + nl.attribute(_IFLA_ADDRESS, peer_mac)
        + nl.u32(_IFLA_NET_NS_FD, namespace)
        + nl.u32(_IFLA_MTU, mtu)
    )
    info = nl.nested(
        _IFLA_LINKINFO, nl.text(_INFO_KIND, "veth"), nl.nested(_INFO_DATA, nl.attribute(_VETH_PEER | nl.NESTED, other))
    )
    body = _link(flags=_UP) + nl.text(_IFLA_IFNAME, name) + nl.u32(_IFLA_MASTER, bridge) + nl.u32(_IFLA_MTU, mtu) + info
    return Request(_NEWLINK, nl.CREATE | nl.EXCL, body)


def set_hairpin(name: str) -> Request:
    """Let the bridge send packets back out of the port they came from: a pod that reaches itself by its service."""
    data = nl.nested(_INFO_SLAVE_DATA, nl.u8(_BRPORT_HAIRPIN, 1))
    info = nl.nested(_IFLA_LINKINFO, nl.text(_INFO_SLAVE_KIND, "bridge"), data)
    return Request(_NEWLINK, 0, _link() + nl.text(_IFLA_IFNAME, name) + info)


def set_up(index: int) -> Request:
    return Request(_NEWLINK, 0, _link(index, _UP))


def delete_link(name: str) -> Request:
    return Request(_DELLINK, 0, _link() + nl.text(_IFLA_IFNAME, name), repeatable=True)


def add_address(index: int, address: IPv4Interface) -> Request:
    body = struct.pack("=BBBBi", socket.AF_INET, address.network.prefixlen, 0, 0, index)
    body += nl.attribute(_IFA_LOCAL, address.ip.packed) + nl.attribute(_IFA_ADDRESS, address.ip.packed)
    if address.network.prefixlen < 31:
        body += nl.attribute(_IFA_BROADCAST, address.network.broadcast_address.packed)
    return Request(_NEWADDR, nl.CREATE | nl.EXCL, body, repeatable=True)


def add_route(
    destination: IPv4Network,
    *,
    link: int = 0,
    gateway: IPv4Address | None = None,
    unreachable: bool = False,
    metric: int = 0,
) -> Request:
    """A route by a link, by a gateway, or (`unreachable`) to nowhere."""
    scope = _SCOPE_UNIVERSE if gateway or unreachable else _SCOPE_LINK
    kind = _UNREACHABLE if unreachable else _UNICAST
    head = (socket.AF_INET, destination.prefixlen, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, kind, 0)
    body = struct.pack("=BBBBBBBBI", *head)
    if destination.prefixlen:
        body += nl.attribute(_RTA_DST, destination.network_address.packed)
    if gateway is not None:
        body += nl.attribute(_RTA_GATEWAY, gateway.packed)
    if link:
        body += nl.u32(_RTA_OIF, link)
    if metric:
        body += nl.u32(_RTA_PRIORITY, metric)
    return Request(_NEWROUTE, nl.CREATE | nl.EXCL, body, repeatable=True)


def delete_route(destination: IPv4Network, metric: int = 0) -> Request:
    """Whatever its scope; without a metric, the first to that destination."""
    head = (socket.AF_INET, destination.prefixlen, 0, 0, _TABLE_MAIN, 0, _SCOPE_NOWHERE, 0, 0)
    body = struct.pack("=BBBBBBBBI", *head) + nl.attribute(_RTA_DST, destination.network_address.packed)
    return Request(_DELROUTE, 0, body + (nl.u32(_RTA_PRIORITY, metric) if metric else b""), repeatable=True)


def mac_of(address: IPv4Address) -> bytes:
    """A link address that follows from the IP address: reusing the one reuses the other, and no ARP cache is wrong."""
    return b"\x0a\x58" + address.packed
