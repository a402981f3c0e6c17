"""How many pods that are alike in something run in each domain of a topology key, kept from decision to decision.

A decision changes one node, so only that node's pods are counted again: to look at all pods of thousands of nodes for
each pod that has affinity takes a second.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from pybernetes.scheduler.node import NodeState

Count: TypeAlias = Callable[[NodeState], int]


class Tally:
    """The count of each domain: `value of the topology key -> pods`; domains without any are left out."""

    def __init__(self, key: str, count: Count) -> None:
        """`count` says how many such pods a node has."""
        self._key, self._count = key, count
        self._known: dict[str, tuple[str, int]] = {}
        """Node -> its domain, and what it counts for there."""
        self.position = -1
        """How many changes of the snapshot have been followed."""
        self.domains: dict[str, int] = {}

    def follow(self, nodes: Mapping[str, NodeState], changed: Collection[str] | None, position: int) -> dict[str, int]:
        """Count the nodes that have changed (None: all) anew."""
        if changed is None:
            self._known.clear()
            self.domains.clear()
            changed = nodes
        for name in changed:
            self._recount(name, nodes.get(name))
        self.position = position
        return self.domains

    def _recount(self, name: str, node: NodeState | None) -> None:
        if before := self._known.pop(name, None):
            add(self.domains, before[0], -before[1])
        domain = node.labels.get(self._key) if node is not None and node.node is not None else None
        if node is not None and domain is not None and (found := self._count(node)):
            self._known[name] = (domain, found)
            add(self.domains, domain, found)


def add(domains: dict[str, int], domain: str, number: int) -> None:
    """A domain that has none left is no longer there."""
    left = domains.get(domain, 0) + number
    if left:
        domains[domain] = left
    else:
        domains.pop(domain, None)
