"""Keeps the kernel's table equal to the service ports it was given: the difference, in one transaction."""

import itertools
from collections.abc import Mapping

from pybernetes.proxy.backends.nftables import layout
from pybernetes.proxy.backends.nftables.conntrack import Conntrack, Moved, has_moved
from pybernetes.proxy.backends.nftables.difference import write_difference, write_elements, write_sets
from pybernetes.proxy.backends.nftables.pieces import Element, Masquerade, Pieces, pieces_of
from pybernetes.proxy.backends.nftables.transaction import Connection, Transaction
from pybernetes.proxy.table import PortRules


class NftablesBackend:
    """The only writer of the table `name`. Calls block and come from one thread at a time."""

    def __init__(self, name: str, masquerade: Masquerade) -> None:
        self.name = name
        self._masquerade = masquerade
        self._connection = Connection()
        self._conntrack = Conntrack()
        self._rules: dict[str, PortRules] = {}
        self._ports: dict[str, Pieces] = {}
        # Service ports that want an element, the one that came first has it: two may claim a node port or address.
        self._owners: dict[Element, dict[str, bytes]] = {}
        self._numbers: dict[str, int] = {}
        self._next = itertools.count(1)
        self._written = False

    def close(self) -> None:
        """The table stays: services go on while the proxy is away."""
        self._connection.close()
        self._conntrack.close()

    def remove(self) -> None:
        """Take the table away. Safe to repeat."""
        transaction = Transaction(self.name)
        transaction.delete_table()
        self._connection.commit(transaction)
        self._written = False

    def is_intact(self) -> bool:
        """Whether the table is still there; firewalls have commands that remove everybody's."""
        return self._written and self._connection.has_table(self.name)

    def sync(self, changed: Mapping[str, PortRules | None], *, whole: bool = False) -> None:
        """Take service ports by name, None for those that are gone, and make the table say so.

        With `whole` the table is written anew, also when nothing changed. Raises OSError; then the next call writes
        the whole table.
        """
        whole = whole or not self._written
        transaction = Transaction(self.name)
        self._written = False
        before = [self._ports.get(name, Pieces()) for name in changed]
        old = self._take(changed)
        if whole:
            self._write_all(transaction)
        else:
            after = [self._ports.get(name, Pieces()) for name in changed]
            new = {element: self._data_of(element) for element in old}
            write_difference(transaction, before, after, old, new)
        self._connection.commit(transaction)
        self._written = True
        self._forget_flows(changed)

    def _forget_flows(self, changed: Mapping[str, PortRules | None]) -> None:
        """UDP has no end: flows to endpoints that are gone must be taken from the kernel."""
        moved = [
            Moved(rules or old, frozenset() if rules is None else rules.reachable)
            for name, rules in changed.items()
            if (old := self._rules.get(name)) and old.protocol == "udp" and (rules is None or has_moved(old, rules))
        ]
        for name, rules in changed.items():
            if rules:
                self._rules[name] = rules
            else:
                self._rules.pop(name, None)
        if moved:
            self._conntrack.forget(moved)

    def _take(self, changed: Mapping[str, PortRules | None]) -> dict[Element, bytes | None]:
        """Note the new pieces; returns what elements that may have changed were in the table before."""
        touched: dict[Element, bytes | None] = {}
        for name, rules in changed.items():
            old = self._ports.pop(name, Pieces())
            new = pieces_of(rules, self._number, self._masquerade) if rules else Pieces()
            if rules:
                self._ports[name] = new
            else:
                self._forget_numbers(name)
            for element in {**old.elements, **new.elements}:
                owners = self._owners.setdefault(element, {})
                touched.setdefault(element, _first(owners))
                if element in new.elements:
                    owners[name] = new.elements[element]
                else:
                    owners.pop(name, None)
                if not owners:
                    del self._owners[element]
        return touched

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = next(self._next)
        return self._numbers[name]

    def _forget_numbers(self, name: str) -> None:
        for known in [known for known in self._numbers if known.partition("#")[0] == name]:
            del self._numbers[known]

    def _data_of(self, element: Element) -> bytes | None:
        return _first(self._owners.get(element, {}))

    def _write_all(self, transaction: Transaction) -> None:
        transaction.reset_table()
        write_sets(transaction, itertools.chain(layout.SETS, *(each.sets.values() for each in self._ports.values())))
        fixed = layout.chains(self._masquerade.mark)
        own = [chain for pieces in self._ports.values() for chain in pieces.chains.items()]
        for name in itertools.chain(fixed, (name for name, _ in own)):
            transaction.add_chain(name, layout.HOOKS.get(name))
        for name, rules in (*fixed.items(), *own):
            transaction.add_rules(name, rules)
        write_elements(transaction, {element: next(iter(owners.values())) for element, owners in self._owners.items()})


def _first(owners: Mapping[str, bytes]) -> bytes | None:
    return next(iter(owners.values()), None)
