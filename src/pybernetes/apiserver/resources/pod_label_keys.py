"""matchLabelKeys and mismatchLabelKeys of a pod: they become conditions of the selectors beside them, so that who
reads the pod need not know them (KEP-3633, KEP-3243)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pybernetes.api.tree import Tree

_OPERATORS: Final = (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))


def merge_label_keys(pod: Tree) -> None:
    """Each key whose label the pod has asks for the pod's own value, or for any other."""
    labels = pod["metadata"].get("labels") or {}
    for owner in _owners(pod["spec"]):
        selector = owner.get("labelSelector")
        found = [
            {"key": key, "operator": operator, "values": [labels[key]]}
            for name, operator in _OPERATORS
            for key in owner.get(name) or ()
            if key in labels
        ]
        if selector is not None and found:
            selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *found]


def _owners(spec: Tree) -> Iterator[Tree]:
    """What may have such keys: terms of affinity between pods, and constraints on how they spread."""
    affinity = spec.get("affinity") or {}
    for name in ("podAffinity", "podAntiAffinity"):
        side = affinity.get(name) or {}
        yield from side.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for weighted in side.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield weighted["podAffinityTerm"]
    yield from spec.get("topologySpreadConstraints") or ()
