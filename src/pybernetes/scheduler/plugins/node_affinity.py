"""NodeAffinity (nodeSelector and node affinity) and NodeName."""

from __future__ import annotations

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.node_selector import matches_term
from pybernetes.scheduler.plugins import MAX_SCORE, Rejection
from pybernetes.scheduler.pod import PodInfo


def affinity(pod: PodInfo, node: NodeState) -> Rejection | None:
    """Every pair of nodeSelector and one of the required terms must match."""
    terms = pod.needs.required_terms
    if pod.spec.node_selector.items() <= node.labels.items() and (
        not terms or any(matches_term(term, node) for term in terms)
    ):
        return None
    return Rejection("NodeAffinity", ("node(s) didn't match Pod's node affinity/selector",))


def name(pod: PodInfo, node: NodeState) -> Rejection | None:
    if not pod.spec.node_name or pod.spec.node_name == node.name:
        return None
    return Rejection("NodeName", ("node(s) didn't match the requested node name",))


def preferred(pod: PodInfo, node: NodeState) -> float:
    """The matching terms' part of all weights."""
    terms = pod.needs.preferred_terms
    if not terms:
        return 0.0
    total = sum(term.weight for term in terms)
    if total <= 0:
        return 0.0
    matching = sum(term.weight for term in terms if matches_term(term.preference, node))
    return MAX_SCORE * matching / total
