"""What a policy lets through, given the pods that there are. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Network, ip_network

from msgspec import Struct

from pybernetes.api.selectors import labels
from pybernetes.api.types import networking_v1 as networking
from pybernetes.proxy.policies.members import Member, Namespaces, Peer, peer_of

INGRESS, EGRESS = "ingress", "egress"


class Block(Struct, frozen=True):
    """Addresses of a network, without those of others."""

    network: IPv4Network
    excepted: tuple[IPv4Network, ...] = ()


class Ports(Struct, frozen=True):
    """All ports of a protocol, those from `first` to `last`, or (address, port) of the pods that have it by name."""

    protocol: str
    first: int = 0
    last: int = 0
    named: frozenset[tuple[str, int]] | None = None


class Allowed(Struct, frozen=True):
    """Connections with these partners at these ports; None is anybody, and any port."""

    pods: frozenset[str] | None
    blocks: tuple[Block, ...] = ()
    ports: tuple[Ports, ...] | None = None


class Resolved(Struct, frozen=True):
    """By direction what is allowed to the pods of this node that the policy selects; all else is not."""

    selected: frozenset[str]
    """Keys of members."""
    allowed: dict[str, tuple[Allowed, ...]]


class _Rule(Struct, frozen=True):
    """A rule of a policy: no peers are all peers, no ports all ports."""

    peers: tuple[Peer, ...]
    blocks: tuple[Block, ...]
    ports: tuple[networking.NetworkPolicyPort, ...]

    @property
    def is_for_all(self) -> bool:
        return not self.peers and not self.blocks


class Policy:
    """A NetworkPolicy, its selectors read once."""

    def __init__(self, policy: networking.NetworkPolicy) -> None:
        spec, namespace = policy.spec, policy.metadata.namespace or ""
        self._subject = Peer(labels.from_struct(spec.pod_selector), namespace)
        if spec.pod_selector is None:
            self._subject = Peer(labels.parse(""), namespace)
        types = spec.policy_types or [INGRESS.title(), *([EGRESS.title()] if spec.egress else [])]
        rules: dict[str, list[_Rule]] = {}
        if "Ingress" in types:
            rules[INGRESS] = [_rule(rule.from_, rule.ports, namespace) for rule in spec.ingress]
        if "Egress" in types:
            rules[EGRESS] = [_rule(rule.to, rule.ports, namespace) for rule in spec.egress]
        self._rules = rules

    def concerns(self, member: Member, namespaces: Namespaces) -> bool:
        """Whether anything of the policy depends on this pod."""
        return self._subject.matches(member, namespaces) or any(
            (rule.is_for_all and rule.ports) or any(peer.matches(member, namespaces) for peer in rule.peers)
            for rules in self._rules.values()
            for rule in rules
        )

    def resolve(self, members: Collection[Member], namespaces: Namespaces) -> Resolved:
        chosen = [one for one in members if one.is_local and self._subject.matches(one, namespaces)]
        allowed = {
            direction: tuple(_allowed(rule, direction, chosen, members, namespaces) for rule in rules)
            for direction, rules in self._rules.items()
        }
        return Resolved(frozenset(one.key for one in chosen), allowed)


def _rule(
    peers: Sequence[networking.NetworkPolicyPeer], ports: Sequence[networking.NetworkPolicyPort], namespace: str
) -> _Rule:
    pods = tuple(peer_of(peer, namespace) for peer in peers if peer.ip_block is None)
    blocks = tuple(_block(peer.ip_block) for peer in peers if peer.ip_block is not None)
    return _Rule(pods, blocks, tuple(ports))


def _block(block: networking.IPBlock) -> Block:
    """A block of IPv6 addresses has none of this cluster's."""
    network = ip_network(block.cidr, strict=False)
    if not isinstance(network, IPv4Network):
        return Block(IPv4Network("0.0.0.0/0"), (IPv4Network("0.0.0.0/0"),))
    excepted = (ip_network(text, strict=False) for text in block.except_)
    return Block(network, tuple(each for each in excepted if isinstance(each, IPv4Network)))


def _allowed(
    rule: _Rule, direction: str, chosen: Sequence[Member], members: Iterable[Member], namespaces: Namespaces
) -> Allowed:
    partners = [one for one in members if any(peer.matches(one, namespaces) for peer in rule.peers)]
    # A name is a port of whoever is connected to.
    targets = chosen if direction == INGRESS else (list(members) if rule.is_for_all else partners)
    ports = tuple(_ports(port, targets) for port in rule.ports)
    pods = None if rule.is_for_all else frozenset(one.address for one in partners)
    return Allowed(pods, rule.blocks, ports or None)


def _ports(port: networking.NetworkPolicyPort, targets: Iterable[Member]) -> Ports:
    protocol = (port.protocol or "TCP").lower()
    if port.port is None:
        return Ports(protocol)
    if isinstance(port.port, int):
        return Ports(protocol, port.port, port.end_port or port.port)
    named = (
        (member.address, each.number)
        for member in targets
        for each in member.ports
        if (each.name, each.protocol) == (port.port, protocol)
    )
    return Ports(protocol, named=frozenset(named))
