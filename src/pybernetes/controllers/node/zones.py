"""How fast pods are driven from silent nodes: one node after the other, and none where so many fall silent together that
the fault is more likely the network's. Rates and thresholds are upstream's options."""

from __future__ import annotations

from msgspec import Struct, field

from pybernetes.api.types import core_v1
from pybernetes.controllers.options import Options

FEW = 2
"""So many nodes may fall silent without anybody taking it for a disruption."""


def zone_of(node: core_v1.Node) -> tuple[str, str]:
    """Region and zone, empty where nobody has told."""
    labels = node.metadata.labels
    return labels.get("topology.kubernetes.io/region", ""), labels.get("topology.kubernetes.io/zone", "")


def zone_key(node: core_v1.Node) -> str:
    """How metrics name it, upstream's way."""
    region, zone = zone_of(node)
    return f"{region}:\0:{zone}" if region or zone else ""


class Zone(Struct):
    """The nodes of a zone by name; of those to be emptied, whose turn has come and who is `waiting` for it."""

    nodes: set[str] = field(default_factory=set)
    ready: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    _turns: set[str] = field(default_factory=set)
    _next: float = 0.0

    def rate(self, options: Options) -> float:
        """Nodes a second; 0 for none."""
        silent, count = len(self.nodes) - len(self.ready), len(self.nodes)
        if not self.ready or silent <= FEW or silent / count < options.unhealthy_zone_threshold:
            return options.node_eviction_rate
        return options.secondary_node_eviction_rate if count > options.large_cluster_size_threshold else 0.0

    def take_turn(self, name: str, now: float, options: Options) -> float | None:
        """0 if the node's pods are to go now, else the seconds after which to ask again; None if nothing but a change
        of the zone can help."""
        rate = self.rate(options)
        if name in self._turns:
            return 0.0
        if rate and now >= self._next:
            self._next = now + 1 / rate
            self.waiting.discard(name)
            self._turns.add(name)
            return 0.0
        self.waiting.add(name)
        return self._next - now if rate else None

    def end_turn(self, name: str) -> None:
        """It has been emptied, need not be, or is gone. Safe to repeat."""
        self.waiting.discard(name)
        self._turns.discard(name)
