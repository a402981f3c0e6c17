"""Namespaces."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_FINALIZERS = Path("spec").child("finalizers")


def _create(namespace: Tree) -> Errors:
    for finalizer in namespace["spec"].get("finalizers") or ():
        yield from _validate_finalizer(finalizer)


def _validate_finalizer(finalizer: str) -> Errors:
    yield from complain(_FINALIZERS, finalizer, names.qualified_name(finalizer))
    if "/" not in finalizer and finalizer != "kubernetes":
        detail = "name is neither a standard finalizer name nor is it fully qualified"
        yield field.invalid(_FINALIZERS, finalizer, detail)


def _update_status(new: Tree, old: Tree) -> Errors:
    path = Path("status").child("Phase")
    phase = new["status"].get("phase")
    if new["metadata"].get("deletionTimestamp"):
        if phase != "Terminating":
            yield field.invalid(path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")
    elif phase != "Active":
        yield field.invalid(path, phase, "may only be 'Active' if `deletionTimestamp` is empty")


def _finalize(new: Tree, old: Tree) -> Errors:
    yield from _create(new)


RULES: RulesTable = {
    ("", "namespaces"): Rules(
        _create,
        name=names.dns1123_label,
        subresources={"status": _update_status, "finalize": _finalize},
        whole_looks=1,
    ),
}
