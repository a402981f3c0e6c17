"""Where a pod may run, as far as its own spec and a node's labels and taints say. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.selectors.labels import SelectorError, make_requirement
from pybernetes.api.taints import tolerates
from pybernetes.api.types import core_v1

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def fits_node(spec: core_v1.PodSpec, node: core_v1.Node) -> bool:
    """Whether node name, node selector and required node affinity allow the node."""
    if spec.node_name and spec.node_name != node.metadata.name:
        return False
    if not spec.node_selector.items() <= node.metadata.labels.items():
        return False
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    return required is None or any(_matches(term, node) for term in required.node_selector_terms)


def _matches(term: core_v1.NodeSelectorTerm, node: core_v1.Node) -> bool:
    """A term without any requirement matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    name = {"metadata.name": node.metadata.name or ""}
    return all(_holds(found, node.metadata.labels) for found in term.match_expressions) and all(
        _holds(found, name) for found in term.match_fields
    )


def _holds(found: core_v1.NodeSelectorRequirement, labels: dict[str, str]) -> bool:
    try:
        return make_requirement(found.key, _OPERATORS.get(found.operator, ""), found.values).matches(labels)
    except SelectorError:
        return False


def tolerates_all(tolerations: Iterable[core_v1.Toleration], taints: Iterable[core_v1.Taint], *effects: str) -> bool:
    """Whether each taint of these effects is tolerated."""
    listed = list(tolerations)
    return all(
        any(tolerates(toleration, taint) for toleration in listed) for taint in taints if taint.effect in effects
    )
