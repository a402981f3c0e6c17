"""What one service port adds to the table: chains of its own, and elements of the shared sets and maps. Pure.

Endpoints are chosen in a group's chain: a random number picks one from the group's map. With affinity each endpoint
has a chain and a set of its own: the clients that it had last, which come back to it before any number is drawn.
"""

from collections.abc import Callable
from ipaddress import IPv4Network

from msgspec import Struct, field

from pybernetes.api.endpoints import Target
from pybernetes.proxy.backends.nftables import expressions as e
from pybernetes.proxy.backends.nftables import layout
from pybernetes.proxy.backends.nftables.expressions import Rule
from pybernetes.proxy.table import PortRules

Element = tuple[str, bytes]
"""Name of the set, key."""


class Pieces(Struct):
    """Sets and chains of its own by name; elements of any set with their data (b"" in sets)."""

    sets: dict[str, layout.Set] = field(default_factory=dict)
    chains: dict[str, list[Rule]] = field(default_factory=dict)
    elements: dict[Element, bytes] = field(default_factory=dict)


class Masquerade(Struct, frozen=True):
    """When packets get this node's address: `mark` says so; pods of `cluster_range` keep theirs."""

    mark: int
    cluster_range: IPv4Network | None = None
    all: bool = False


def pieces_of(rules: PortRules, number: Callable[[str], int], masquerade: Masquerade) -> Pieces:
    """The pieces of a service port. `number` gives a group name its number, always the same."""
    return _Port(rules, number, masquerade).pieces()


class _Port:
    def __init__(self, rules: PortRules, number: Callable[[str], int], masquerade: Masquerade) -> None:
        self._rules = rules
        self._number = number
        self._masquerade = masquerade
        self._made = Pieces()

    def pieces(self) -> Pieces:
        rules = self._rules
        for address in rules.cluster_addresses:
            self._made.elements[layout.CLUSTER_ADDRESSES, e.address_key(address)] = b""
        if rules.endpoints:
            self._lead_inside()
            self._lead_outside()
        else:
            self._refuse()
        return self._made

    def _refuse(self) -> None:
        refused = e.verdict_goto(layout.REFUSE)
        for address in (*self._rules.cluster_addresses, *self._rules.external_addresses):
            self._made.elements[layout.DEAD_ADDRESSES, self._address(address)] = refused
        if self._rules.node_port:
            self._made.elements[layout.DEAD_NODE_PORTS, self._node_port()] = refused

    def _lead_inside(self) -> None:
        """The cluster address: to any endpoint, or with a Local policy to those of this node or nowhere."""
        rules = self._rules
        targets = rules.local_endpoints if rules.internal_local else rules.endpoints
        if targets:
            group = self._group("local" if rules.internal_local else "all", targets)
            chain = f"internal-{self._number(rules.name)}"
            self._made.chains[chain] = [*self._mark_strangers(), [e.goto(group)]]
            verdict = e.verdict_goto(chain)
        else:
            verdict = e.verdict_drop()
        for address in rules.cluster_addresses:
            self._made.elements[layout.SERVICE_ADDRESSES, self._address(address)] = verdict

    def _lead_outside(self) -> None:
        """Node port and external addresses, which share a chain, behind a guard where source ranges are given."""
        rules = self._rules
        if not rules.node_port and not rules.external_addresses:
            return
        chain = f"external-{self._number(rules.name)}"
        self._made.chains[chain] = self._external_rules()
        if rules.node_port:
            self._made.elements[layout.NODE_PORTS, self._node_port()] = e.verdict_goto(chain)
        balance = chain
        if rules.balanced_addresses:
            # Nobody is masqueraded: answers come back by this node, which leads all others.
            balance = f"balance-{self._number(rules.name)}"
            self._made.chains[balance] = [[e.goto(self._group("all", rules.endpoints))]]
        guard = f"guard-{self._number(rules.name)}"
        if rules.guarded_addresses:
            allowed = [
                [*e.comes_from(IPv4Network(text, strict=False)), e.goto(balance)] for text in rules.source_ranges
            ]
            self._made.chains[guard] = [*allowed, [e.drop()]]
        for address in rules.external_addresses:
            open_to = balance if address in rules.balanced_addresses else chain
            first = guard if address in rules.guarded_addresses else open_to
            self._made.elements[layout.SERVICE_ADDRESSES, self._address(address)] = e.verdict_goto(first)

    def _external_rules(self) -> list[Rule]:
        rules, mark = self._rules, e.set_mark(self._masquerade.mark)
        everywhere = self._group("all", rules.endpoints)
        if not rules.external_local:
            return [mark, [e.goto(everywhere)]]
        # Local keeps the client's address; what comes from inside the cluster goes anywhere all the same.
        inside = self._masquerade.cluster_range
        from_pods = [[*e.comes_from(inside), e.goto(everywhere)]] if inside else []
        from_here = [[*e.is_sent_from_here(), *mark], [*e.is_sent_from_here(), e.goto(everywhere)]]
        if not rules.local_endpoints:
            return [*from_pods, *from_here, [e.drop()]]
        return [*from_pods, *from_here, [e.goto(self._group("local", rules.local_endpoints))]]

    def _mark_strangers(self) -> list[Rule]:
        mark = e.set_mark(self._masquerade.mark)
        if self._masquerade.all:
            return [mark]
        if self._masquerade.cluster_range is None:
            return []
        # This machine's own packets have an address that pods can answer to.
        outside = e.comes_from(self._masquerade.cluster_range, inside=False)
        return [[*outside, *mark]]

    def _group(self, kind: str, targets: tuple[Target, ...]) -> str:
        """The chain that picks one of the targets."""
        group = self._number(f"{self._rules.name}#{kind}")
        chain = f"group-{group}"
        if chain in self._made.chains:
            return chain
        for target in targets:
            address = e.address_key(target.address)
            self._made.elements[layout.HAIRPINS, address + address] = b""
        members = f"endpoints-{group}"
        if self._rules.affinity_seconds:
            self._made.sets[members] = layout.verdict_map(members)
            back, verdicts = self._affine(kind, targets)
            self._made.chains[chain] = [*back, [e.load_random(0, len(targets)), e.follow(members, 0)]]
        else:
            self._made.sets[members] = layout.endpoint_map(members)
            verdicts = [e.value(e.address_key(target.address) + e.port_key(target.port)) for target in targets]
            pick = [e.load_random(0, len(targets)), e.look_up(members, 0), e.send_to(0)]
            self._made.chains[chain] = [pick]
        for slot, data in enumerate(verdicts):
            self._made.elements[members, e.number_key(slot)] = data
        return chain

    def _affine(self, kind: str, targets: tuple[Target, ...]) -> tuple[list[Rule], list[bytes]]:
        """The rules that bring clients back, and the verdicts that lead to each endpoint."""
        back: list[Rule] = []
        verdicts: list[bytes] = []
        for target in targets:
            number = self._number(f"{self._rules.name}#{kind}#{target.address}:{target.port}")
            chain, clients = f"endpoint-{number}", f"clients-{number}"
            self._made.sets[clients] = layout.client_set(clients)
            self._made.chains[chain] = [
                [e.load_source(0), e.remember(clients, 0, self._rules.affinity_seconds)],
                [e.load(0, e.address_key(target.address)), e.load(1, e.port_key(target.port)[:2]), e.send_to(0)],
            ]
            back.append([e.load_source(0), e.is_in(clients, 0), e.goto(chain)])
            verdicts.append(e.verdict_goto(chain))
        return back, verdicts

    def _address(self, address: str) -> bytes:
        return e.address_key(address) + e.protocol_key(self._rules.protocol) + e.port_key(self._rules.port)

    def _node_port(self) -> bytes:
        return e.protocol_key(self._rules.protocol) + e.port_key(self._rules.node_port)
