"""Preemption: which pods of lower priority would have to go so that a pod fits, and the words if none would help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from pybernetes.api.types import policy_v1 as policy
from pybernetes.scheduler.budgets import violating
from pybernetes.scheduler.cycle import refusal
from pybernetes.scheduler.plugins import Rejection
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
UNDER_WAY = "not eligible due to a terminating pod on the nominated node."
REASON = "PreemptionByScheduler"
"""Of the condition DisruptionTarget that a victim gets."""

MIN_CANDIDATES = 100
MIN_CANDIDATES_PERCENT = 10


class Victims(Struct, frozen=True):
    """The pods to delete on a node, lowest priority first."""

    node: str
    pods: tuple[PodInfo, ...]
    violations: int = 0
    """How many of them a disruption budget would keep."""


class Refused(Struct, frozen=True):
    """No pod is preempted: upstream's words for why. `waits`: because room is being made already."""

    message: str
    waits: bool = False


def choose(
    pod: PodInfo,
    snapshot: Snapshot,
    rejections: Mapping[str, Rejection],
    budgets: Sequence[policy.PodDisruptionBudget] = (),
) -> Victims | Refused:
    """The node where the least important pods have to go.

    Order of preference as upstream's: the fewest violations of budgets, the lowest highest priority among the victims,
    then their sum, then number, then who began last. So many nodes are tried as upstream tries by default.
    """
    if why := _ineligible(pod, snapshot, rejections):
        return Refused(message(len(rejections), Counter({why: 0})), waits=why == UNDER_WAY)
    candidates: list[Victims] = []
    failures: Counter[str] = Counter()
    enough = max(MIN_CANDIDATES, len(rejections) * MIN_CANDIDATES_PERCENT // 100)
    for name, rejection in rejections.items():
        if not rejection.resolvable:
            failures[NOT_HELPFUL] += 1
        elif victims := minimal_victims(pod, snapshot, name, budgets):
            candidates.append(victims)
            if len(candidates) == enough:
                break
        else:
            failures[NO_VICTIMS] += 1
    if not candidates:
        return Refused(message(len(rejections), failures))
    return min(candidates, key=_cost)


def _ineligible(pod: PodInfo, snapshot: Snapshot, rejections: Mapping[str, Rejection]) -> str:
    """Why the pod may not preempt now; empty if it may."""
    if pod.spec.preemption_policy == "Never":
        return NEVER
    node, rejection = snapshot.nodes.get(pod.nominated), rejections.get(pod.nominated)
    if node is None or (rejection is not None and not rejection.resolvable):
        return ""
    leaving = any(other.priority < pod.priority and _is_preempted(other) for other in node.pods.values())
    return UNDER_WAY if leaving else ""


def _is_preempted(pod: PodInfo) -> bool:
    return pod.pod.metadata.deletion_timestamp is not None and any(
        condition.type == "DisruptionTarget" and condition.status == "True" and condition.reason == REASON
        for condition in pod.pod.status.conditions
    )


def _cost(victims: Victims) -> tuple[int, int, int, int, tuple[int, ...]]:
    priorities = [victim.priority for victim in victims.pods]
    highest = max(priorities)
    began = min(_began(victim) for victim in victims.pods if victim.priority == highest)
    latest_first = tuple(-ord(letter) for letter in began)
    return victims.violations, highest, sum(priority + 2**31 for priority in priorities), len(priorities), latest_first


def _began(pod: PodInfo) -> str:
    """Its start time, which sorts as text; one that has not begun comes last."""
    return pod.pod.status.start_time or "~"


def minimal_victims(
    pod: PodInfo, snapshot: Snapshot, name: str, budgets: Sequence[policy.PodDisruptionBudget] = ()
) -> Victims | None:
    """Remove all less important pods, then spare as many as still leave room: those first whom a budget keeps, and of
    them the most important. None if there are none to remove, or that would not do."""
    lower = sorted(
        (other for other in snapshot.nodes[name].pods.values() if other.priority < pod.priority),
        key=lambda other: (-other.priority, _began(other)),
    )
    if not lower:
        return None
    world = snapshot.with_promised(pod, name)
    for other in lower:
        world.remove(other.uid)
    if refusal(pod, world, name):
        return None
    kept = violating(lower, budgets)
    victims = [other for other in _kept_first(lower, kept) if not _is_spared(other, pod, world, name)]
    victims.sort(key=lambda victim: victim.priority)
    return Victims(name, tuple(victims), sum(victim.uid in kept for victim in victims)) if victims else None


def _kept_first(pods: Iterable[PodInfo], kept: frozenset[str]) -> list[PodInfo]:
    return sorted(pods, key=lambda other: other.uid not in kept)


def _is_spared(other: PodInfo, pod: PodInfo, world: Snapshot, name: str) -> bool:
    """Whether `pod` fits with `other` too, which then stays."""
    world.place(other, name)
    if refusal(pod, world, name) is None:
        return True
    world.remove(other.uid)
    return False


def message(nodes: int, failures: Counter[str]) -> str:
    """`preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is ...`"""
    if not +failures:
        return f"preemption: {next(iter(failures), '')}"
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in failures.items()))
    return f"preemption: 0/{nodes} nodes are available: {reasons}."
