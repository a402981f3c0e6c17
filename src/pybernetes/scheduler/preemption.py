"""Preemption: which pods of lower priority would have to go so that a pod fits, and the words if none would help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import Rejection
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.ranking import reject
from pybernetes.scheduler.snapshot import Snapshot

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


class Victims(Struct, frozen=True):
    """The pods to delete on a node, lowest priority first."""

    node: str
    pods: tuple[PodInfo, ...]


def choose(pod: PodInfo, snapshot: Snapshot, rejections: Mapping[str, Rejection]) -> Victims | str:
    """The node where the least important pods have to go, or upstream's words for why none can be chosen.

    Order of preference as upstream's: the lowest highest priority among the victims, then their sum, then number.
    """
    if pod.spec.preemption_policy == "Never":
        return message(len(rejections), Counter({"not eligible due to preemptionPolicy=Never.": 0}))
    candidates = []
    failures: Counter[str] = Counter()
    for name, rejection in rejections.items():
        if not rejection.resolvable:
            failures[NOT_HELPFUL] += 1
            continue
        victims = minimal_victims(pod, snapshot.nodes[name])
        if victims:
            candidates.append(Victims(name, victims))
        else:
            failures[NO_VICTIMS] += 1
    if not candidates:
        return message(len(rejections), failures)
    return min(candidates, key=_cost)


def _cost(victims: Victims) -> tuple[int, int, int]:
    priorities = [victim.priority for victim in victims.pods]
    return max(priorities), sum(priorities), len(priorities)


def minimal_victims(pod: PodInfo, node: NodeState) -> tuple[PodInfo, ...]:
    """Remove all less important pods, then spare as many as still leave room, the most important first."""
    lower = sorted(
        (other for other in node.pods.values() if other.priority < pod.priority),
        key=lambda other: (-other.priority, other.added),
    )
    without = copy_of(node)
    for other in lower:
        without.remove(other.uid)
    if not lower or reject(pod, without):
        return ()
    victims = []
    for other in lower:
        without.add(other)
        if reject(pod, without):
            without.remove(other.uid)
            victims.append(other)
    return tuple(reversed(victims))


def copy_of(node: NodeState) -> NodeState:
    """A node to try things on."""
    copy = NodeState(node.name)
    if node.node is not None:
        copy.update(node.node)
    for pod in node.pods.values():
        copy.add(pod)
    return copy


def message(nodes: int, failures: Counter[str]) -> str:
    """`preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is ...`"""
    if not nodes:
        return ""
    if not +failures:
        return f"no new claims to deallocate, preemption: {next(iter(failures), '')}"
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in failures.items()))
    return f"no new claims to deallocate, preemption: 0/{nodes} nodes are available: {reasons}."
