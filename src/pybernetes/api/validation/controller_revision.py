"""Controller revisions: what a workload was made of, once and for all."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import ROOT
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable, non_negative
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable


def _create(revision: Tree) -> Errors:
    if revision.get("data") is None:
        yield field.required(ROOT.child("data"), "data is mandatory")
    elif not isinstance(revision["data"], dict):
        yield field.required(ROOT.child("data"), "data must be a valid JSON object")
    yield from non_negative(revision, ROOT, "revision")


def _update(new: Tree, old: Tree) -> Errors:
    yield from non_negative(new, ROOT, "revision")
    yield from immutable(new.get("data"), old.get("data"), ROOT.child("data"))


RULES: RulesTable = {("apps", "controllerrevisions"): Rules(_create, _update, update_is_whole=True, whole_looks=1)}
