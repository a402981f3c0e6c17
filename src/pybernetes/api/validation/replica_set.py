"""Replica sets."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import non_negative
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.workload import (
    SPEC,
    validate_replica_counts,
    validate_same_selector,
    validate_selected_template,
    validate_selector,
)


def _create(replica_set: Tree) -> Errors:
    spec = replica_set["spec"]
    yield from non_negative(spec, SPEC, "replicas", "minReadySeconds")
    yield from validate_selector(spec.get("selector"), "deployment")
    yield from validate_selected_template(spec)


def _update_status(new: Tree, old: Tree) -> Errors:
    counts = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "terminatingReplicas")
    yield from validate_replica_counts(new["status"], *counts)


RULES: RulesTable = {
    ("apps", "replicasets"): Rules(_create, validate_same_selector, subresources={"status": _update_status}),
}
