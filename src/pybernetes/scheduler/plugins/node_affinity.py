"""NodeAffinity (nodeSelector and node affinity) and NodeName."""

from __future__ import annotations

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.node import NodeState
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


def matches_term(term: core.NodeSelectorTerm, node: NodeState) -> bool:
    """All of a term's expressions hold; a term without any matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    return all(matches(requirement, node.labels) for requirement in term.match_expressions) and all(
        matches(requirement, {"metadata.name": node.name}) for requirement in term.match_fields
    )


def matches(requirement: core.NodeSelectorRequirement, labels: dict[str, str]) -> bool:
    """Whether labels fulfil it; an operator that there is not holds for none."""
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compare(operator, value, requirement.values)
        case _:
            return False


def _compare(operator: str, value: str | None, values: list[str]) -> bool:
    try:
        left, right = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right
