"""The nodes in the order in which they suit all pods of one signature, kept from decision to decision.

A decision changes one node, so only that node is looked at again: this is what makes thousands of decisions a
second possible over thousands of nodes, where looking at each node for each pod is not.
"""

from __future__ import annotations

import heapq
import random
from collections import OrderedDict
from collections.abc import Iterator

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import Rejection
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.profile import FILTERS, SCORES
from pybernetes.scheduler.snapshot import Snapshot

KEPT = 256


class Ranking:
    """Local verdicts on every node for one signature. Entries of nodes that changed are void, and left behind."""

    def __init__(self, pod: PodInfo, rng: random.Random) -> None:
        self._pod = pod
        self._rng = rng
        self._position = -1
        self._heap: list[tuple[float, float, str, int]] = []
        self._versions: dict[str, int] = {}
        self._sequence = 0
        self.rejections: dict[str, Rejection] = {}

    def follow(self, snapshot: Snapshot) -> None:
        """Look again at the nodes that have changed since."""
        changed = snapshot.changed_since(self._position) if self._position >= 0 else None
        if changed is None:
            self._heap.clear()
            self._versions.clear()
            self.rejections.clear()
            changed = set(snapshot.nodes)
        for name in changed:
            self._judge(name, snapshot.nodes.get(name))
        self._position = snapshot.position

    def _judge(self, name: str, node: NodeState | None) -> None:
        self._sequence += 1
        self._versions[name] = self._sequence
        self.rejections.pop(name, None)
        if node is None or node.node is None:
            del self._versions[name]
            return
        rejection = reject(self._pod, node)
        if rejection is not None:
            self.rejections[name] = rejection
            return
        score = sum(weight * plugin(self._pod, node) for plugin, weight in SCORES)
        heapq.heappush(self._heap, (-score, self._rng.random(), name, self._sequence))

    def best(self) -> str | None:
        """The best node, without taking it; equals are in random order."""
        while self._heap:
            _, _, name, version = self._heap[0]
            if self._versions.get(name) == version:
                return name
            heapq.heappop(self._heap)
        return None

    def feasible(self) -> Iterator[tuple[str, float]]:
        """Every node that can take the pod, with its score, in no order."""
        for score, _, name, version in self._heap:
            if self._versions.get(name) == version:
                yield name, -score


def reject(pod: PodInfo, node: NodeState) -> Rejection | None:
    """The first filter's rejection of a node."""
    for plugin in FILTERS:
        rejection = plugin(pod, node)
        if rejection is not None:
            return rejection
    return None


class Rankings:
    """The rankings of the signatures seen lately."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._kept: OrderedDict[bytes, Ranking] = OrderedDict()

    def of(self, pod: PodInfo, snapshot: Snapshot) -> Ranking:
        """The pod's ranking, up to date with the snapshot."""
        ranking = self._kept.get(pod.signature)
        if ranking is None:
            ranking = self._kept[pod.signature] = Ranking(pod, self._rng)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(pod.signature)
        ranking.follow(snapshot)
        return ranking
