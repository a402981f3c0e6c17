"""PodTopologySpread: constraints that a pod states, and by default the pods of one owner on different nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

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


class Counts(Struct, frozen=True):
    """How many nodes each domain has, and how many pods that a constraint is about (none: left out)."""

    nodes: Mapping[str, int]
    pods: Mapping[str, int]


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
    pod: PodInfo, hard: list[tuple[core.TopologySpreadConstraint, Counts]]
) -> Callable[[NodeState], Rejection | None]:
    selves = [_selector(pod, constraint).matches(pod.pod.metadata.labels) for constraint, _ in hard]
    least = [_least(constraint, counts) for constraint, counts in hard]

    def verdict(node: NodeState) -> Rejection | None:
        for (constraint, counts), own, fewest in zip(hard, selves, least, strict=True):
            domain = node.labels.get(constraint.topology_key)
            if domain is None:
                return Rejection(NAME, (f"{MISMATCH} (missing required label)",))
            if counts.pods.get(domain, 0) + own - fewest > constraint.max_skew:
                return Rejection(NAME, (MISMATCH,), resolvable=True)
        return None

    return verdict


def _least(constraint: core.TopologySpreadConstraint, counts: Counts) -> int:
    """The global minimum; 0 while there are fewer domains than minDomains, or one without such pods."""
    if len(counts.nodes) < (constraint.min_domains or 1) or len(counts.pods) < len(counts.nodes):
        return 0
    return min(counts.pods.values(), default=0)


def _score(soft: list[tuple[core.TopologySpreadConstraint, Counts]]) -> Callable[[NodeState], float]:
    def score(node: NodeState) -> float:
        if any(constraint.topology_key not in node.labels for constraint, _ in soft):
            return 0.0
        near = [counts.pods.get(node.labels[constraint.topology_key], 0) for constraint, counts in soft]
        total = sum(MAX_SCORE / (1 + count) for count in near)
        return total / len(soft)

    return score


def _counted(
    pod: PodInfo, constraints: Sequence[core.TopologySpreadConstraint], snapshot: Snapshot
) -> list[tuple[core.TopologySpreadConstraint, Counts]]:
    """Each constraint with its counts, of the nodes that have the topology keys of all of them."""
    keys = frozenset(constraint.topology_key for constraint in constraints)
    return [(constraint, _count(pod, constraint, keys, snapshot)) for constraint in constraints]


def _count(pod: PodInfo, constraint: core.TopologySpreadConstraint, keys: frozenset[str], snapshot: Snapshot) -> Counts:
    """Of the domains of nodes that the policies do not leave out."""
    selector, namespace = _selector(pod, constraint), pod.pod.metadata.namespace
    policies = (constraint.node_affinity_policy, constraint.node_taints_policy)

    def is_counted(node: NodeState) -> int:
        return int(keys <= node.labels.keys() and _counts(pod, constraint, node))

    def matching(node: NodeState) -> int:
        others = (other.pod.metadata for other in node.pods.values()) if is_counted(node) else ()
        return sum(
            other.namespace == namespace and other.deletion_timestamp is None and selector.matches(other.labels)
            for other in others
        )

    # What these counts depend on, beside nodes and pods.
    of_nodes = (pod.needs.shape, keys, policies)
    key = constraint.topology_key
    return Counts(
        snapshot.domains(key, of_nodes, is_counted),
        snapshot.domains(key, (of_nodes, namespace, selector), matching),
    )


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
