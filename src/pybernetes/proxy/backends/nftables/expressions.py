"""Expressions of nftables rules as netlink attributes (linux/nf_tables.h). A rule is a list of them.

Registers are numbered by 32-bit words: R(0) to R(15). What is loaded into words that follow one another is one key.
"""

import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

from pybernetes.wire import netlink as nl

Rule = list[bytes]

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}

_VERDICT_REGISTER = 0
_NETWORK, _TRANSPORT = 1, 2
_META_MARK, _META_L4PROTO = 3, 16
_FIB_ADDRTYPE, _FIB_SADDR, _FIB_DADDR, _LOCAL = 3, 1, 2, 2
_CT_STATE, _CT_ESTABLISHED, _CT_RELATED, _CT_NEW = 0, 2, 4, 8
_DROP, _ACCEPT, _JUMP, _GOTO = 0, 1, -3, -4
_EQUAL, _UNEQUAL, _AT_MOST, _AT_LEAST = 0, 1, 3, 5
_IPV4, _DNAT = 2, 1
_ICMP, _TCP_RESET, _PORT_UNREACHABLE = 0, 1, 3
_RANDOM = 1
_UPDATE = 1


def R(word: int) -> int:
    """The register of a 32-bit word."""
    return 8 + word


def _expression(name: str, *attributes: bytes) -> bytes:
    return nl.nested(1, nl.text(1, name), nl.nested(2, *attributes))


def _data(kind: int, value: bytes) -> bytes:
    return nl.nested(kind, nl.attribute(1, value))


def be64(kind: int, value: int) -> bytes:
    return nl.attribute(kind, struct.pack("!Q", value))


# Loading


def load_source(word: int) -> bytes:
    return _payload(word, _NETWORK, 12, 4)


def load_destination(word: int) -> bytes:
    return _payload(word, _NETWORK, 16, 4)


def load_destination_port(word: int) -> bytes:
    return _payload(word, _TRANSPORT, 2, 2)


def load_protocol(word: int) -> bytes:
    return _expression("meta", nl.be32(2, _META_L4PROTO), nl.be32(1, R(word)))


def load(word: int, data: bytes) -> bytes:
    """Bytes as they stand, at most one word."""
    return _expression("immediate", nl.be32(1, R(word)), _data(2, data))


def load_random(word: int, below: int) -> bytes:
    return _expression("numgen", nl.be32(1, R(word)), nl.be32(2, below), nl.be32(3, _RANDOM), nl.be32(4, 0))


def _payload(word: int, base: int, offset: int, length: int) -> bytes:
    return _expression("payload", nl.be32(1, R(word)), nl.be32(2, base), nl.be32(3, offset), nl.be32(4, length))


# Matching


def is_destined_here() -> Rule:
    """The destination is an address of this machine."""
    return _is_local(_FIB_DADDR)


def is_sent_from_here() -> Rule:
    """The source is an address of this machine."""
    return _is_local(_FIB_SADDR)


def _is_local(flag: int) -> Rule:
    found = _expression("fib", nl.be32(1, R(0)), nl.be32(2, _FIB_ADDRTYPE), nl.be32(3, flag))
    return [found, _compare(0, struct.pack("=I", _LOCAL))]


def comes_from(network: IPv4Network, inside: bool = True) -> Rule:
    return is_within(load_source, network, inside)


def is_within(load: Callable[[int], bytes], network: IPv4Network, inside: bool = True) -> Rule:
    """The address that `load` (`load_source`, `load_destination`) loads is one of the network."""
    masked = _expression(
        "bitwise",
        nl.be32(1, R(0)),
        nl.be32(2, R(0)),
        nl.be32(3, 4),
        _data(4, network.netmask.packed),
        _data(5, bytes(4)),
    )
    return [load(0), masked, _compare(0, network.network_address.packed, equal=inside)]


def is_new() -> Rule:
    """The first packet of a connection."""
    return _is_state(_CT_NEW)


def is_known() -> Rule:
    """A packet of a connection that has been answered, or an error about one."""
    return _is_state(_CT_ESTABLISHED | _CT_RELATED)


def _is_state(bits: int) -> Rule:
    state = _expression("ct", nl.be32(1, R(0)), nl.be32(2, _CT_STATE))
    return [state, _masked(struct.pack("=I", bits), bytes(4)), _compare(0, bytes(4), equal=False)]


def is_protocol(protocol: str) -> Rule:
    return [load_protocol(0), _compare(0, bytes((PROTOCOLS[protocol],)))]


def is_port_between(first: int, last: int) -> Rule:
    """The destination port, both ends included."""
    bounds = ((_EQUAL, first),) if first == last else ((_AT_LEAST, first), (_AT_MOST, last))
    return [load_destination_port(0), *(_compares(0, operator, struct.pack("!H", port)) for operator, port in bounds)]


def is_marked(mark: int) -> Rule:
    bits = struct.pack("=I", mark)
    return [_load_mark(), _masked(bits, bytes(4)), _compare(0, bytes(4), equal=False)]


def _compare(word: int, value: bytes, equal: bool = True) -> bytes:
    return _compares(word, _EQUAL if equal else _UNEQUAL, value)


def _compares(word: int, operator: int, value: bytes) -> bytes:
    return _expression("cmp", nl.be32(1, R(word)), nl.be32(2, operator), _data(3, value))


def _masked(mask: bytes, xor: bytes) -> bytes:
    return _expression("bitwise", nl.be32(1, R(0)), nl.be32(2, R(0)), nl.be32(3, 4), _data(4, mask), _data(5, xor))


# Sets and maps


def is_in(set_name: str, word: int) -> bytes:
    """The key at the word is an element; else the rule ends."""
    return _expression("lookup", nl.text(1, set_name), nl.be32(2, R(word)))


def look_up(map_name: str, word: int) -> bytes:
    """Load what the map has for the key in the key's place; the rule ends if it has nothing."""
    return _expression("lookup", nl.text(1, map_name), nl.be32(2, R(word)), nl.be32(3, R(word)))


def follow(map_name: str, word: int) -> bytes:
    """Take the verdict that the map has for the key, if it has one."""
    return _expression("lookup", nl.text(1, map_name), nl.be32(2, R(word)), nl.be32(3, _VERDICT_REGISTER))


def remember(set_name: str, word: int, seconds: int) -> bytes:
    """Put the key into a dynamic set, for some seconds from now."""
    return _expression(
        "dynset", nl.text(1, set_name), nl.be32(3, _UPDATE), nl.be32(4, R(word)), be64(6, seconds * 1000)
    )


# Doing


def _load_mark() -> bytes:
    return _expression("meta", nl.be32(2, _META_MARK), nl.be32(1, R(0)))


def set_mark(mark: int) -> Rule:
    """Set the mark's bits and leave the others."""
    keep = struct.pack("=I", ~mark & 0xFFFFFFFF)
    stored = _expression("meta", nl.be32(2, _META_MARK), nl.be32(3, R(0)))
    return [_load_mark(), _masked(keep, struct.pack("=I", mark)), stored]


def clear_mark(mark: int) -> Rule:
    stored = _expression("meta", nl.be32(2, _META_MARK), nl.be32(3, R(0)))
    return [_load_mark(), _masked(struct.pack("=I", ~mark & 0xFFFFFFFF), bytes(4)), stored]


def send_to(word: int) -> bytes:
    """Translate the destination to the address at the word and the port at the next."""
    return _expression("nat", nl.be32(1, _DNAT), nl.be32(2, _IPV4), nl.be32(3, R(word)), nl.be32(5, R(word + 1)))


def masquerade() -> bytes:
    return _expression("masq")


def refuse() -> list[Rule]:
    """Answer that nobody listens: a reset to TCP, since the kernel sends few ICMP messages a second to one address."""
    reset = _expression("reject", nl.be32(1, _TCP_RESET), nl.u8(2, 0))
    unreachable = _expression("reject", nl.be32(1, _ICMP), nl.u8(2, _PORT_UNREACHABLE))
    return [[*is_protocol("tcp"), reset], [unreachable]]


def drop() -> bytes:
    return _immediate_verdict(verdict_drop())


def accept() -> bytes:
    """No further rule of this hook's chain is asked."""
    return _immediate_verdict(nl.nested(2, nl.be32(1, _ACCEPT)))


def jump(chain: str) -> bytes:
    return _immediate_verdict(_verdict(_JUMP, chain))


def goto(chain: str) -> bytes:
    return _immediate_verdict(verdict_goto(chain))


def _immediate_verdict(verdict: bytes) -> bytes:
    return _expression("immediate", nl.be32(1, _VERDICT_REGISTER), nl.nested(2, verdict))


# Elements of sets and maps: keys are padded to whole words, as registers are.


def verdict_goto(chain: str) -> bytes:
    return _verdict(_GOTO, chain)


def verdict_drop() -> bytes:
    return nl.nested(2, nl.be32(1, _DROP))


def _verdict(code: int, chain: str) -> bytes:
    return nl.nested(2, nl.be32(1, code & 0xFFFFFFFF), nl.text(2, chain))


def value(data: bytes) -> bytes:
    return nl.attribute(1, data)


def address_key(address: str) -> bytes:
    return IPv4Address(address).packed


def port_key(port: int) -> bytes:
    return struct.pack("!H2x", port)


def protocol_key(protocol: str) -> bytes:
    return bytes((PROTOCOLS[protocol], 0, 0, 0))


def number_key(number: int) -> bytes:
    return struct.pack("=I", number)
