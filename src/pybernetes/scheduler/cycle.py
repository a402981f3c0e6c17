"""One decision: which node for this pod, or why none. Pure: reads the snapshot, changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from pybernetes.scheduler.plugins import MAX_SCORE, Rejection, Verdicts, dynamic_resources, volume_binding
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.profile import GLOBAL_PLUGINS
from pybernetes.scheduler.ranking import NamedNodes, Ranking, Rankings, reject
from pybernetes.scheduler.snapshot import Snapshot

NO_NODES = "no nodes available to schedule pods"


class Placed(Struct, frozen=True):
    """The pod goes to `node`."""

    node: str


class Unplaced(Struct, frozen=True):
    """No node can take the pod: each node's rejection."""

    rejections: Mapping[str, Rejection]

    @property
    def plugins(self) -> frozenset[str]:
        """The plugins that stood in the way: only what changes their mind is worth another try."""
        return frozenset(rejection.plugin for rejection in self.rejections.values())

    def message(self, preemption: str = "") -> str:
        """Upstream's words: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. ...`"""
        if not self.rejections:
            return NO_NODES
        counts = Counter(reason for rejection in self.rejections.values() for reason in rejection.reasons)
        of_pod = {reason for rejection in self.rejections.values() if rejection.of_pod for reason in rejection.reasons}
        reasons = ", ".join(sorted(r if r in of_pod else f"{count} {r}" for r, count in counts.items()))
        text = f"0/{len(self.rejections)} nodes are available: {reasons}."
        return f"{text} {preemption}" if preemption else text


Decision = Placed | Unplaced


def decide(pod: PodInfo, snapshot: Snapshot, rankings: Rankings) -> Decision:
    """The best node by local and global plugins."""
    if blocked := _blocked(pod, snapshot):
        return Unplaced({node.name: blocked for node in snapshot.present()})
    ranking = rankings.of(pod, snapshot)
    verdicts = [(found, weight) for plugin, weight in GLOBAL_PLUGINS if (found := plugin(pod, snapshot)) is not None]
    if verdicts or pod.nominated or snapshot.promised(pod):
        return _decide_globally(pod, snapshot, ranking, verdicts)
    best = ranking.best()
    return Placed(best) if best is not None else Unplaced(dict(ranking.rejections))


def _blocked(pod: PodInfo, snapshot: Snapshot) -> Rejection | None:
    """Why the pod cannot go anywhere for a reason of its own."""
    blocked = volume_binding.blocked(pod, snapshot.volumes) if pod.claims else None
    return blocked or (dynamic_resources.blocked(pod, snapshot.devices) if pod.spec.resource_claims else None)


def _decide_globally(
    pod: PodInfo, snapshot: Snapshot, ranking: Ranking | NamedNodes, verdicts: list[tuple[Verdicts, float]]
) -> Decision:
    """The nodes are looked at in the order of what they are worth by themselves, until none of those that are left can
    be the best any more.
    """
    rejections: dict[str, Rejection] = {}
    promised = snapshot.promised(pod)
    most = sum(weight * MAX_SCORE for found, weight in verdicts if found.score)
    best, highest = None, float("-inf")
    for name, local in ranking.in_order():
        if local + most <= highest and not pod.nominated:
            break
        node = snapshot.nodes[name]
        rejection = next((r for v, _ in verdicts if v.filter and (r := v.filter(node))), None)
        if rejection is None and name in promised:
            rejection = refusal(pod, snapshot.with_promised(pod, name), name)
        if rejection is not None and rejection.of_pod:
            return Unplaced({node.name: rejection for node in snapshot.present()})
        if rejection is not None:
            rejections[name] = rejection
            continue
        if name == pod.nominated:
            return Placed(name)
        score = local + sum(weight * found.score(node) for found, weight in verdicts if found.score)
        if score > highest:
            best, highest = name, score
    return Placed(best) if best is not None else Unplaced({**ranking.rejections, **rejections})


def refusal(pod: PodInfo, snapshot: Snapshot, name: str) -> Rejection | None:
    """Why one node cannot take the pod, asked of all plugins."""
    node = snapshot.nodes[name]
    if rejection := reject(pod, node):
        return rejection
    for plugin, _ in GLOBAL_PLUGINS:
        found = plugin(pod, snapshot)
        if found and found.filter and (rejection := found.filter(node)):
            return rejection
    return None
