"""The kernel's memory of UDP flows (ctnetlink): what leads to an endpoint that is gone is forgotten."""

import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from msgspec import Struct

from pybernetes.api.endpoints import Target
from pybernetes.proxy.table import PortRules
from pybernetes.wire import netlink as nl

_NETLINK_NETFILTER, _SUBSYSTEM, _IPV4, _UDP = 12, 1, 2, 17
_GET, _DELETE = 1, 2
_HEADER = struct.pack("!BBH", _IPV4, 0, 0)
_ORIGINAL, _REPLY = 1, 2
_IP, _PROTOCOL = 1, 2
_SOURCE, _DESTINATION = 1, 2
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3


class Moved(Struct, frozen=True):
    """A UDP service port whose endpoints are others than before."""

    rules: PortRules
    endpoints: frozenset[Target]


class Flow(Struct, frozen=True):
    """A UDP flow: whom the client addressed, who answers, and the tuple that names the flow to the kernel."""

    addressed: Target
    answering: Target
    original: bytes


def has_moved(old: PortRules, new: PortRules) -> bool:
    """Whether flows of the old rules may lead where no new one does, or nowhere where a new one leads."""
    return bool(old.reachable - new.reachable) or (not old.endpoints and bool(new.endpoints))


def stale_flows(flows: Iterable[Flow], moved: Sequence[Moved]) -> Iterator[Flow]:
    """Those that were addressed to one of the service ports and are answered by none of its endpoints."""
    by_address: dict[Target, Moved] = {}
    by_node_port: dict[int, Moved] = {}
    for each in moved:
        for address in (*each.rules.cluster_addresses, *each.rules.external_addresses):
            by_address[Target(address, each.rules.port)] = each
        if each.rules.node_port:
            by_node_port[each.rules.node_port] = each
    for flow in flows:
        found = by_address.get(flow.addressed) or by_node_port.get(flow.addressed.port)
        if found and flow.answering not in found.endpoints:
            yield flow


class Conntrack:
    """The flows of the network namespace in which this is made. Calls block."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.settimeout(10)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def forget(self, moved: Sequence[Moved]) -> None:
        """Remove the stale flows. Raises OSError."""
        for flow in list(stale_flows(self._dump(), moved)):
            body = _HEADER + nl.attribute(_ORIGINAL | nl.NESTED, flow.original)
            self._socket.send(nl.message(_SUBSYSTEM << 8 | _DELETE, nl.REQUEST | nl.ACK, 2, body))
            self._socket.recv(1 << 16)

    def _dump(self) -> Iterator[Flow]:
        self._socket.send(nl.message(_SUBSYSTEM << 8 | _GET, nl.REQUEST | nl.DUMP, 1, _HEADER))
        while True:
            for answer in nl.messages(self._socket.recv(1 << 20)):
                if answer.kind == nl.DONE:
                    return
                if answer.kind == nl.ERROR:
                    if (error := nl.error_of(answer)) is not None:
                        raise error
                    return
                if (flow := _flow(nl.attributes(answer.body[len(_HEADER) :]))) is not None:
                    yield flow


def _flow(found: dict[int, bytes]) -> Flow | None:
    original, reply = nl.attributes(found[_ORIGINAL]), nl.attributes(found[_REPLY])
    protocol = nl.attributes(original[_PROTOCOL])
    if protocol[_NUMBER][0] != _UDP:
        return None
    back = nl.attributes(reply[_PROTOCOL])
    return Flow(
        _target(nl.attributes(original[_IP])[_DESTINATION], protocol[_DESTINATION_PORT]),
        _target(nl.attributes(reply[_IP])[_SOURCE], back[_SOURCE_PORT]),
        found[_ORIGINAL],
    )


def _target(address: bytes, port: bytes) -> Target:
    return Target(str(IPv4Address(address)), int.from_bytes(port))
