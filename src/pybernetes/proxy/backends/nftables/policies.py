"""What policies add to a table of their own. Pure, but for the backend at the end.

    egress    a new connection that is forwarded from a pod of this node  -> the chain of the policies that select it
    ingress   a new connection that is forwarded to a pod of this node    -> likewise

Pods that the same policies select share a chain: it jumps to each policy's and then drops. What the node itself sends
is not forwarded: probes reach every pod. Answers belong to a connection that was allowed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pybernetes.proxy.backends.nftables import expressions as e
from pybernetes.proxy.backends.nftables import layout
from pybernetes.proxy.backends.nftables.difference import write_difference, write_sets
from pybernetes.proxy.backends.nftables.expressions import Rule
from pybernetes.proxy.backends.nftables.pieces import Element, Pieces
from pybernetes.proxy.backends.nftables.transaction import Connection, Transaction
from pybernetes.proxy.policies.members import Member
from pybernetes.proxy.policies.policy import EGRESS, INGRESS, Allowed, Block, Ports, Resolved

_SELVES: Final = "selves"
_PODS: Final = {EGRESS: "egress-pods", INGRESS: "ingress-pods"}
_LOAD: Final = {EGRESS: e.load_source, INGRESS: e.load_destination}
_HOOKS: Final = {EGRESS: layout.Hook(2, -5, "filter"), INGRESS: layout.Hook(2, -4, "filter")}
_SETS: Final = (layout.address_pair_set(_SELVES), *(layout.address_map(name) for name in _PODS.values()))


def policy_pieces(number: int, policy: Resolved) -> Pieces:
    """A chain for each direction, which accepts what is allowed; the sets that it looks into."""
    made = Pieces()
    for direction, rules in policy.allowed.items():
        chain: list[Rule] = []
        for position, rule in enumerate(rules):
            chain += _rule(made, direction, f"{direction}-{number}-{position}", rule)
        made.chains[_policy_chain(direction, number)] = chain
    return made


def pod_pieces(member: Member, groups: Mapping[str, int]) -> Pieces:
    """What leads a pod's connections to the chain of its policies; `groups` has their numbers by direction."""
    address = e.address_key(member.address)
    made = Pieces(elements={(_SELVES, address + address): b""})
    for direction, number in groups.items():
        made.elements[_PODS[direction], address] = e.verdict_goto(_group_chain(direction, number))
    return made


def group_pieces(direction: str, number: int, policies: Sequence[int]) -> Pieces:
    """The chain of all pods that just these policies select."""
    jumps = [[e.jump(_policy_chain(direction, policy))] for policy in policies]
    return Pieces(chains={_group_chain(direction, number): [*jumps, [e.drop()]]})


def _policy_chain(direction: str, number: int) -> str:
    return f"{direction}-policy-{number}"


def _group_chain(direction: str, number: int) -> str:
    return f"{direction}-group-{number}"


def _rule(made: Pieces, direction: str, name: str, rule: Allowed) -> list[Rule]:
    """Whoever is a partner goes on to the ports, if there are any."""
    verdict = e.accept()
    if rule.ports is not None:
        made.chains[f"ports-{name}"] = [
            _port(made, f"named-{name}-{position}", ports) for position, ports in enumerate(rule.ports)
        ]
        verdict = e.jump(f"ports-{name}")
    if rule.pods is None:
        return [[verdict]]
    partner = _LOAD[INGRESS if direction == EGRESS else EGRESS]
    rules = [[*_within(partner, block), verdict] for block in rule.blocks]
    if rule.pods:
        made.sets[f"peers-{name}"] = layout.address_set(f"peers-{name}")
        made.elements |= {(f"peers-{name}", e.address_key(address)): b"" for address in rule.pods}
        rules.append([partner(0), e.is_in(f"peers-{name}", 0), verdict])
    return rules


def _within(load: Callable[[int], bytes], block: Block) -> Rule:
    found = e.is_within(load, block.network)
    for excepted in block.excepted:
        found += e.is_within(load, excepted, inside=False)
    return found


def _port(made: Pieces, name: str, ports: Ports) -> Rule:
    is_protocol = e.is_protocol(ports.protocol)
    if ports.named is None:
        numbers = e.is_port_between(ports.first, ports.last) if ports.first else []
        return [*is_protocol, *numbers, e.accept()]
    made.sets[name] = layout.address_port_set(name)
    made.elements |= {(name, e.address_key(address) + e.port_key(port)): b"" for address, port in ports.named}
    return [*is_protocol, e.load_destination(0), e.load_destination_port(1), e.is_in(name, 0), e.accept()]


def _fixed_chains() -> dict[str, list[Rule]]:
    """A pod may always reach itself."""
    known = [[*e.is_known(), e.accept()], [e.load_source(0), e.load_destination(1), e.is_in(_SELVES, 0), e.accept()]]
    return {direction: [*known, [_LOAD[direction](0), e.follow(_PODS[direction], 0)]] for direction in _PODS}


class PolicyBackend:
    """The only writer of the table `name`, which is there only while it has pieces. Calls block, from one thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._connection = Connection()
        self._pieces: dict[str, Pieces] = {}
        self._written = False

    def close(self) -> None:
        """The table stays: what was refused is refused while the proxy is away."""
        self._connection.close()

    def remove(self) -> None:
        """Take the table away. Safe to repeat."""
        self._pieces.clear()
        self._written = False
        transaction = Transaction(self.name)
        transaction.delete_table()
        self._connection.commit(transaction)

    def is_intact(self) -> bool:
        """Whether the table is as it was written: there, or not."""
        return not self._written or self._connection.has_table(self.name)

    def sync(self, changed: Mapping[str, Pieces | None], *, whole: bool = False) -> None:
        """Take pieces by their owner's name, None for those that are gone; the difference is one transaction.

        With `whole` the table is written anew. Raises OSError; then the next call writes the whole table.
        """
        before = [self._pieces.get(name, Pieces()) for name in changed]
        for name, pieces in changed.items():
            if pieces is None:
                self._pieces.pop(name, None)
            else:
                self._pieces[name] = pieces
        transaction = Transaction(self.name)
        if whole or not self._written:
            self._write_all(transaction)
        else:
            _write_changes(transaction, before, [self._pieces.get(name, Pieces()) for name in changed])
        self._written = False
        self._connection.commit(transaction)
        self._written = True

    def _write_all(self, transaction: Transaction) -> None:
        transaction.reset_table()
        write_sets(transaction, _SETS)
        fixed = _fixed_chains()
        for name in fixed:
            transaction.add_chain(name, _HOOKS[name])
        _write_changes(transaction, [], list(self._pieces.values()))
        for name, rules in fixed.items():
            transaction.add_rules(name, rules)


def _write_changes(transaction: Transaction, before: Sequence[Pieces], after: Sequence[Pieces]) -> None:
    old: dict[Element, bytes | None] = {each: data for pieces in before for each, data in pieces.elements.items()}
    new: dict[Element, bytes | None] = {each: data for pieces in after for each, data in pieces.elements.items()}
    touched = old.keys() | new.keys()
    write_difference(
        transaction, before, after, {each: old.get(each) for each in touched}, {each: new.get(each) for each in touched}
    )
