"""The nodes in the order in which they suit all pods of one owner and shape, kept from decision to decision.

A decision changes one node, so only that node is looked at again: this is what makes thousands of decisions a
second possible over thousands of nodes, where looking at each node for each pod is not. Owners whose pods have one
shape share what does not depend on the owner.
"""

from __future__ import annotations

import heapq
import random
from collections import OrderedDict
from collections.abc import Collection, Iterator

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import Rejection
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.profile import FILTERS, OWNER_SCORES, SCORES
from pybernetes.scheduler.snapshot import Snapshot

KEPT = 256
MANY_VOID = 100
"""Void entries that are worse than any other never come up: so many may stay, or as many as there are nodes."""


class Shape:
    """What each node is worth to all pods of one shape, whoever owns them; looked at anew when the node has changed."""

    def __init__(self, pod: PodInfo) -> None:
        self._pod = pod
        self._verdicts: dict[str, tuple[int, Rejection | None, float]] = {}

    def verdict(self, node: NodeState) -> tuple[int, Rejection | None, float]:
        """The node's version, why it cannot take the pod, and its score if it can."""
        known = self._verdicts.get(node.name)
        if known is None or known[0] != node.version:
            rejection, score = reject(self._pod, node), 0.0
            if rejection is None:
                for plugin, weight in SCORES:
                    score += weight * plugin(self._pod, node)
            known = self._verdicts[node.name] = (node.version, rejection, score)
        return known

    def forget(self, name: str) -> None:
        """The node is gone."""
        self._verdicts.pop(name, None)


class Ranking:
    """Local verdicts on every node. Entries of nodes that changed are void, and left behind."""

    def __init__(self, pod: PodInfo, shape: Shape, rng: random.Random) -> None:
        self._pod, self._shape = pod, shape
        self._rng = rng
        self._position = -1
        self._heap: list[tuple[float, float, str, int]] = []
        self._versions: dict[str, int] = {}
        self.rejections: dict[str, Rejection] = {}

    def __len__(self) -> int:
        """Its entries, the void ones too."""
        return len(self._heap)

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
        if len(self._heap) > MANY_VOID + 2 * len(self._versions):
            self._heap = [entry for entry in self._heap if self._versions.get(entry[2]) == entry[3]]
            heapq.heapify(self._heap)

    def _judge(self, name: str, node: NodeState | None) -> None:
        if self.rejections:
            self.rejections.pop(name, None)
        if node is None or node.node is None:
            self._versions.pop(name, None)
            self._shape.forget(name)
            return
        version, rejection, score = self._shape.verdict(node)
        self._versions[name] = version
        if rejection is not None:
            self.rejections[name] = rejection
            return
        if self._pod.owner:
            for plugin, weight in OWNER_SCORES:
                score += weight * plugin(self._pod, node)
        heapq.heappush(self._heap, (-score, self._rng.random(), name, version))

    def best(self) -> str | None:
        """The best node, without taking it; equals are in random order."""
        while self._heap:
            _, _, name, version = self._heap[0]
            if self._versions.get(name) == version:
                return name
            heapq.heappop(self._heap)
        return None

    def in_order(self) -> Iterator[tuple[str, float]]:
        """Every node that can take the pod, with its score, the best first; equals are in random order.

        Below each entry of a heap are lesser ones only: to know the next, few have to be looked at. The ranking must
        not change meanwhile.
        """
        heap = self._heap
        frontier = [(heap[0], 0)] if heap else []
        while frontier:
            (score, _, name, version), index = heapq.heappop(frontier)
            for child in range(2 * index + 1, min(2 * index + 3, len(heap))):
                heapq.heappush(frontier, (heap[child], child))
            if self._versions.get(name) == version:
                yield name, -score


class NamedNodes:
    """The ranking for a pod that names the nodes it can go to: of thousands only those are looked at."""

    def __init__(self, pod: PodInfo, names: Collection[str], snapshot: Snapshot, rng: random.Random) -> None:
        self._pod, self._snapshot = pod, snapshot
        found = [node for name in names if (node := snapshot.nodes.get(name)) is not None and node.node is not None]
        scored = [(_score(pod, node), rng.random(), node.name) for node in found if reject(pod, node) is None]
        self._ordered = sorted(scored, reverse=True)

    def best(self) -> str | None:
        """As of a `Ranking`, and so are the others."""
        return self._ordered[0][2] if self._ordered else None

    def in_order(self) -> Iterator[tuple[str, float]]:
        return ((name, score) for score, _, name in self._ordered)

    @property
    def rejections(self) -> dict[str, Rejection]:
        """Looked for when somebody asks, since most such pods find their node."""
        judged = ((node.name, reject(self._pod, node)) for node in self._snapshot.present())
        return {name: rejection for name, rejection in judged if rejection is not None}


def _score(pod: PodInfo, node: NodeState) -> float:
    """Whoever its owner is."""
    return sum(weight * plugin(pod, node) for plugin, weight in (*SCORES, *OWNER_SCORES))


def reject(pod: PodInfo, node: NodeState) -> Rejection | None:
    """The first filter's rejection of a node."""
    for plugin in FILTERS:
        rejection = plugin(pod, node)
        if rejection is not None:
            return rejection
    return None


class Rankings:
    """The rankings and shapes seen lately."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._kept: OrderedDict[tuple[str, str, bytes], Ranking] = OrderedDict()
        self._shapes: OrderedDict[tuple[str, bytes], Shape] = OrderedDict()

    def of(self, pod: PodInfo, snapshot: Snapshot) -> Ranking | NamedNodes:
        """The pod's ranking, up to date with the snapshot."""
        if pod.needs.named_nodes is not None:
            return NamedNodes(pod, pod.needs.named_nodes, snapshot, self._rng)
        shape = (pod.spec.node_name or "", pod.needs.shape)
        signature = (pod.owner, *shape)
        ranking = self._kept.get(signature)
        if ranking is None:
            ranking = self._kept[signature] = Ranking(pod, self._shape(pod, shape), self._rng)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(signature)
        ranking.follow(snapshot)
        return ranking

    def _shape(self, pod: PodInfo, key: tuple[str, bytes]) -> Shape:
        """A ranking that is kept keeps its shape, also one that is no longer found here."""
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = Shape(pod)
            if len(self._shapes) > KEPT:
                self._shapes.popitem(last=False)
        return shape
