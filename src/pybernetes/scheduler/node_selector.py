"""Which nodes the terms of a node selector match."""

from __future__ import annotations

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.node import NodeState


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
