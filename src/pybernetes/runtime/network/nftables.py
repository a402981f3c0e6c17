"""Packet rules of one nftables table, encoded directly: a rule is a list of expressions (linux/nf_tables.h)."""

import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Self

from pybernetes.wire import netlink as nl

Expression = bytes
Rule = list[Expression]

_NETLINK_NETFILTER = 12
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE, _BUFFER = 32, 33, 8 << 20
_SUBSYSTEM, _BATCH_BEGIN, _BATCH_END = 10, 16, 17
_NEWTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE, _DELRULE = 0, 2, 3, 6, 8
_IPV4 = 2
_REGISTER, _SECOND_REGISTER = 1, 2
_EQ, _NEQ = 0, 1
_META_IIFNAME, _META_OIFNAME, _META_L4PROTO = 6, 7, 16
_DROP, _ACCEPT = 0, 1
_FIB_ADDRTYPE, _FIB_DADDR, _RTN_LOCAL = 3, 2, 2
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
PRIORITY_DNAT, PRIORITY_FILTER, PRIORITY_SNAT = -100, 0, 100
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_SADDR, _DADDR, _DPORT = (_NETWORK_HEADER, 12, 4), (_NETWORK_HEADER, 16, 4), (_TRANSPORT_HEADER, 2, 2)
IP_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


def _expression(name: str, *attributes: bytes) -> Expression:
    return nl.nested(1, nl.text(1, name), nl.nested(2, *attributes))


def _value(kind: int, data: bytes) -> bytes:
    return nl.nested(kind, nl.attribute(1, data))


def _load(place: tuple[int, int, int]) -> Expression:
    base, offset, length = place
    return _expression("payload", nl.be32(1, _REGISTER), nl.be32(2, base), nl.be32(3, offset), nl.be32(4, length))


def _compare(data: bytes, equal: bool = True) -> Expression:
    return _expression("cmp", nl.be32(1, _REGISTER), nl.be32(2, _EQ if equal else _NEQ), _value(3, data))


def _in_network(place: tuple[int, int, int], network: IPv4Network, inside: bool = True) -> Rule:
    masked = _expression(
        "bitwise",
        nl.be32(1, _REGISTER),
        nl.be32(2, _REGISTER),
        nl.be32(3, 4),
        _value(4, network.netmask.packed),
        _value(5, bytes(4)),
    )
    return [_load(place), masked, _compare(network.network_address.packed, inside)]


def source_in(network: IPv4Network) -> Rule:
    return _in_network(_SADDR, network)


def destination_in(network: IPv4Network, inside: bool = True) -> Rule:
    return _in_network(_DADDR, network, inside)


def leaves_by(link: str, equal: bool = True) -> Rule:
    name = link.encode().ljust(16, b"\0")
    return [_expression("meta", nl.be32(2, _META_OIFNAME), nl.be32(1, _REGISTER)), _compare(name, equal)]


def to_port(protocol: str, port: int) -> Rule:
    number = bytes((IP_PROTOCOLS[protocol],))
    return [
        _expression("meta", nl.be32(2, _META_L4PROTO), nl.be32(1, _REGISTER)),
        _compare(number),
        _load(_DPORT),
        _compare(struct.pack("!H", port)),
    ]


def to_local_address() -> Rule:
    """The destination is an address of this machine."""
    found = _expression("fib", nl.be32(1, _REGISTER), nl.be32(2, _FIB_ADDRTYPE), nl.be32(3, _FIB_DADDR))
    return [found, _compare(struct.pack("=I", _RTN_LOCAL))]


def masquerade() -> Rule:
    return [_expression("masq")]


def drop() -> Rule:
    verdict = nl.nested(2, nl.nested(2, nl.be32(1, _DROP)))
    return [_expression("immediate", nl.be32(1, 0), verdict)]


def redirect_to(address: IPv4Address, port: int) -> Rule:
    """Destination translation."""
    return [
        _expression("immediate", nl.be32(1, _REGISTER), _value(2, address.packed)),
        _expression("immediate", nl.be32(1, _SECOND_REGISTER), _value(2, struct.pack("!H", port))),
        _expression(
            "nat",
            nl.be32(1, 1),
            nl.be32(2, _IPV4),
            nl.be32(3, _REGISTER),
            nl.be32(5, _SECOND_REGISTER),
        ),
    ]


class Table:
    """The IPv4 table `name` of the network namespace of this thread. Each call is one transaction; calls block."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.settimeout(10)
        # A transaction is one message, and each of its steps an answer.
        for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def replace_chain(self, chain: str, hook: str, priority: int, rules: Sequence[Rule]) -> None:
        """Make the chain, if it is missing, on `hook`, and give it `rules` instead of those it has."""
        kind = "filter" if priority == PRIORITY_FILTER else "nat"
        at_hook = nl.nested(4, nl.be32(1, HOOKS[hook]), nl.be32(2, priority & 0xFFFFFFFF))
        named = nl.text(1, self.name) + nl.text(2, chain)
        steps = [
            (_NEWTABLE, nl.CREATE, nl.text(1, self.name)),
            (_NEWCHAIN, nl.CREATE, nl.text(1, self.name) + nl.text(3, chain) + at_hook + nl.text(7, kind)),
            (_DELRULE, 0, named),
            *((_NEWRULE, nl.CREATE | nl.APPEND, named + nl.nested(4, *rule)) for rule in rules),
        ]
        self._commit(steps)

    def delete(self) -> None:
        """Remove the table with all its chains. Safe to repeat."""
        name = nl.text(1, self.name)
        self._commit([(_NEWTABLE, nl.CREATE, name), (_DELTABLE, 0, name)])

    def _commit(self, steps: Sequence[tuple[int, int, bytes]]) -> None:
        family = struct.pack("!BBH", _IPV4, 0, 0)
        batch = struct.pack("!BBH", 0, 0, _SUBSYSTEM)
        data = nl.message(_BATCH_BEGIN, nl.REQUEST, 0, batch)
        for number, (kind, flags, body) in enumerate(steps, 1):
            data += nl.message(_SUBSYSTEM << 8 | kind, flags | nl.REQUEST | nl.ACK, number, family + body)
        self._socket.send(data + nl.message(_BATCH_END, nl.REQUEST, len(steps) + 1, batch))
        awaited = set(range(1, len(steps) + 1))
        failure: OSError | None = None
        while awaited:
            for answer in nl.messages(self._socket.recv(1 << 20)):
                if answer.kind == nl.ERROR:
                    awaited.discard(answer.sequence)
                    failure = failure or nl.error_of(answer)
                    if answer.sequence in (0, len(steps) + 1):
                        awaited.clear()
        if failure is not None:
            raise failure
