"""The fixed part of the table: its sets and maps, and the chains on the kernel's hooks.

early        (before translation)   a port without endpoints is refused, or its packets dropped
prerouting   (from outside, pods)   \\ services: address, protocol and port, or node port -> the port's chain
output       (from this machine)    /
invalid      (after translation)    a service address that is still there has no such port: refused
postrouting                         marked packets, and those of a pod to itself, get this node's address
"""

from msgspec import Struct

from pybernetes.proxy.backends.nftables import expressions as e
from pybernetes.proxy.backends.nftables.expressions import Rule

SERVICE_ADDRESSES, NODE_PORTS = "service-ips", "service-nodeports"
DEAD_ADDRESSES, DEAD_NODE_PORTS = "no-endpoint-services", "no-endpoint-nodeports"
CLUSTER_ADDRESSES, HAIRPINS = "cluster-ips", "hairpin-connections"
REFUSE = "reject"

# Types as `nft list` shows them; parts of a key are six bits each.
_ADDRESS, _PROTOCOL, _PORT, _NUMBER = 7, 12, 13, 19
VERDICT = 0xFFFFFF00
_MAP, _TIMEOUT, _DYNAMIC = 0x8, 0x10, 0x20
_CLIENTS = 65536


def _joined(*parts: int) -> int:
    kind = 0
    for part in parts:
        kind = kind << 6 | part
    return kind


class Set(Struct, frozen=True):
    """A set, or a map if it has a data type; lengths in words."""

    name: str
    key_type: int
    key_words: int
    data_type: int = 0
    data_words: int = 0
    flags: int = 0
    size: int = 0


class Hook(Struct, frozen=True):
    """Where packets enter a chain."""

    number: int
    priority: int
    kind: str


SETS = (
    Set(SERVICE_ADDRESSES, _joined(_ADDRESS, _PROTOCOL, _PORT), 3, VERDICT, 0, _MAP),
    Set(NODE_PORTS, _joined(_PROTOCOL, _PORT), 2, VERDICT, 0, _MAP),
    Set(DEAD_ADDRESSES, _joined(_ADDRESS, _PROTOCOL, _PORT), 3, VERDICT, 0, _MAP),
    Set(DEAD_NODE_PORTS, _joined(_PROTOCOL, _PORT), 2, VERDICT, 0, _MAP),
    Set(CLUSTER_ADDRESSES, _ADDRESS, 1),
    Set(HAIRPINS, _joined(_ADDRESS, _ADDRESS), 2),
)


def endpoint_map(name: str) -> Set:
    """Of one group: a number to an address and port."""
    return Set(name, _NUMBER, 1, _joined(_ADDRESS, _PORT), 2, _MAP)


def verdict_map(name: str) -> Set:
    """Of one group with affinity: a number to an endpoint's chain."""
    return Set(name, _NUMBER, 1, VERDICT, 0, _MAP)


def client_set(name: str) -> Set:
    """Of one endpoint with affinity: the clients that it had last, each for a time."""
    return Set(name, _ADDRESS, 1, flags=_TIMEOUT | _DYNAMIC, size=_CLIENTS)


def address_set(name: str) -> Set:
    return Set(name, _ADDRESS, 1)


def address_pair_set(name: str) -> Set:
    return Set(name, _joined(_ADDRESS, _ADDRESS), 2)


def address_port_set(name: str) -> Set:
    return Set(name, _joined(_ADDRESS, _PORT), 2)


def address_map(name: str) -> Set:
    """An address to a verdict."""
    return Set(name, _ADDRESS, 1, VERDICT, 0, _MAP)


HOOKS = {
    "early-prerouting": Hook(0, -110, "filter"),
    "early-output": Hook(3, -110, "filter"),
    "prerouting": Hook(0, -100, "nat"),
    "output": Hook(3, -100, "nat"),
    "forward": Hook(2, 0, "filter"),
    "late-output": Hook(3, 0, "filter"),
    "postrouting": Hook(4, 100, "nat"),
}


def chains(mark: int) -> dict[str, list[Rule]]:
    """The fixed chains and their rules, those that are jumped to first. `mark` asks for masquerading."""
    by_address = [e.load_destination(0), e.load_protocol(1), e.load_destination_port(2)]
    by_port = [e.load_protocol(0), e.load_destination_port(1)]
    here = e.is_destined_here()
    invalid = [[e.load_destination(0), e.is_in(CLUSTER_ADDRESSES, 0), e.goto(REFUSE)]]
    return {
        REFUSE: e.refuse(),
        "check": [
            [*by_address, e.follow(DEAD_ADDRESSES, 0)],
            [*here, *by_port, e.follow(DEAD_NODE_PORTS, 0)],
        ],
        "services": [
            [*by_address, e.follow(SERVICE_ADDRESSES, 0)],
            [*here, *by_port, e.follow(NODE_PORTS, 0)],
        ],
        "early-prerouting": [[*e.is_new(), e.jump("check")]],
        "early-output": [[*e.is_new(), e.jump("check")]],
        "prerouting": [[e.jump("services")]],
        "output": [[e.jump("services")]],
        "forward": invalid,
        "late-output": invalid,
        "postrouting": [
            [e.load_source(0), e.load_destination(1), e.is_in(HAIRPINS, 0), e.masquerade()],
            [*e.is_marked(mark), *e.clear_mark(mark), e.masquerade()],
        ],
    }
