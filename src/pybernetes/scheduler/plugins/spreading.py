"""PodTopologySpread: constraints that a pod states, and by default the pods of one owner on different nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pybernetes.api.selectors.labels import LabelSelector, from_labels, from_struct
from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import MAX_SCORE, Rejection, Verdicts
from pybernetes.scheduler.plugins.node_affinity import affinity
from pybernetes.scheduler.plugins.taint_toleration import taints
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot

NAME = "PodTopologySpread"
MISMATCH = "node(s) didn't match pod topology spread constraints"


def siblings(pod: PodInfo, node: NodeState) -> float:
    """Fewer pods of the same owner are better; node-local, so that it costs nothing at scale."""
    return MAX_SCORE / (1 + node.owners[pod.owner]) if pod.owner else 0.0


def stated(pod: PodInfo, snapshot: Snapshot) -> Verdicts | None:
    """The pod's own topologySpreadConstraints."""
    constraints = pod.spec.topology_spread_constraints
    if not constraints:
        return None
    hard = _counted(pod, [c for c in constraints if c.when_unsatisfiable == "DoNotSchedule"], snapshot)
    soft = _counted(pod, [c for c in constraints if c.when_unsatisfiable != "DoNotSchedule"], snapshot)
    return Verdicts(_filter(pod, hard) if hard else None, _score(soft) if soft else None)


def _filter(
    pod: PodInfo, hard: list[tuple[core.TopologySpreadConstraint, Counter[str]]]
) -> Callable[[NodeState], Rejection | None]:
    selves = [_selector(pod, constraint).matches(pod.pod.metadata.labels) for constraint, _ in hard]
    least = [_least(constraint, counts) for constraint, counts in hard]

    def verdict(node: NodeState) -> Rejection | None:
        for (constraint, counts), own, fewest in zip(hard, selves, least, strict=True):
            domain = node.labels.get(constraint.topology_key)
            if domain is None:
                return Rejection(NAME, (f"{MISMATCH} (missing required label)",))
            if counts[domain] + own - fewest > constraint.max_skew:
                return Rejection(NAME, (MISMATCH,), resolvable=True)
        return None

    return verdict


def _least(constraint: core.TopologySpreadConstraint, counts: Counter[str]) -> int:
    """The global minimum; 0 while there are fewer domains than minDomains."""
    if len(counts) < (constraint.min_domains or 1):
        return 0
    return min(counts.values(), default=0)


def _score(soft: list[tuple[core.TopologySpreadConstraint, Counter[str]]]) -> Callable[[NodeState], float]:
    def score(node: NodeState) -> float:
        if any(constraint.topology_key not in node.labels for constraint, _ in soft):
            return 0.0
        total = sum(MAX_SCORE / (1 + counts[node.labels[constraint.topology_key]]) for constraint, counts in soft)
        return total / len(soft)

    return score


def _counted(
    pod: PodInfo, constraints: Sequence[core.TopologySpreadConstraint], snapshot: Snapshot
) -> list[tuple[core.TopologySpreadConstraint, Counter[str]]]:
    """Each constraint with its counts, of the nodes that have the topology keys of all of them."""
    keys = {constraint.topology_key for constraint in constraints}
    nodes = [node for node in snapshot.present() if keys <= node.labels.keys()]
    return [(constraint, _count(pod, constraint, nodes)) for constraint in constraints]


def _count(pod: PodInfo, constraint: core.TopologySpreadConstraint, nodes: Sequence[NodeState]) -> Counter[str]:
    """Matching pods per domain; domains of nodes that the policies leave out do not count."""
    selector = _selector(pod, constraint)
    counts: Counter[str] = Counter()
    for node in nodes:
        if not _counts(pod, constraint, node):
            continue
        counts[node.labels[constraint.topology_key]] += sum(
            other.pod.metadata.namespace == pod.pod.metadata.namespace
            and other.pod.metadata.deletion_timestamp is None
            and selector.matches(other.pod.metadata.labels)
            for other in node.pods.values()
        )
    return counts


def _counts(pod: PodInfo, constraint: core.TopologySpreadConstraint, node: NodeState) -> bool:
    """nodeAffinityPolicy (Honor by default) and nodeTaintsPolicy (Ignore by default)."""
    if (constraint.node_affinity_policy or "Honor") == "Honor" and affinity(pod, node):
        return False
    return constraint.node_taints_policy != "Honor" or not taints(pod, node)


def _selector(pod: PodInfo, constraint: core.TopologySpreadConstraint) -> LabelSelector:
    """The constraint's selector, narrowed by matchLabelKeys to the pod's own values."""
    labels = pod.pod.metadata.labels
    keys = {key: labels[key] for key in constraint.match_label_keys if key in labels}
    selector = from_struct(constraint.label_selector)
    return LabelSelector(selector.requirements + from_labels(keys).requirements, selector.nothing)
