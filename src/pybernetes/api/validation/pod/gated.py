"""A pod that waits behind gates may still narrow down its nodes (KEP-3838)."""

from __future__ import annotations

from typing import Final

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import shown_map
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.structures import NODE_SELECTOR, shown_struct

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def validate_narrowing(spec: Tree, was: Tree, path: Path) -> Errors:
    """Labels and requirements of nodes may be added; none that is there may change or go."""
    labels, before = spec.get("nodeSelector") or {}, was.get("nodeSelector") or {}
    if any(labels.get(name) != value for name, value in before.items()):
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        yield field.invalid(path.child("nodeSelector"), shown_map(labels), detail)
    old, new = _terms(was), _terms(spec)
    at = path.child("affinity", "nodeAffinity", _REQUIRED, "nodeSelectorTerms")
    if old and len(old) != len(new):
        detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        yield field.invalid(at, shown_struct(new, "NodeSelectorTerm", NODE_SELECTOR) or None, detail)
        return
    for index, term in enumerate(old):
        if not _has_only_additions(new[index], term):
            shown = shown_struct(new[index], "NodeSelectorTerm", NODE_SELECTOR)
            yield field.invalid(at.index(index), shown, "only additions are allowed (no mutations or deletions)")


def _terms(spec: Tree) -> list[Tree]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    found: list[Tree] = (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    return found


def _has_only_additions(new: Tree, old: Tree) -> bool:
    names = ("matchExpressions", "matchFields")
    if not any(old.get(name) for name in names):
        return not any(new.get(name) for name in names)
    return all((new.get(name) or [])[: len(old.get(name) or ())] == (old.get(name) or []) for name in names)
