"""Replication controllers."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import non_negative, shown_map
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.pod.spec import validate_pod_template
from pybernetes.api.validation.workload import SPEC, validate_always_restarts, validate_replica_counts


def _create(controller: Tree) -> Errors:
    spec = controller["spec"]
    yield from non_negative(spec, SPEC, "minReadySeconds", "replicas")
    selector = spec.get("selector") or {}
    if not selector:
        yield field.required(SPEC.child("selector"))
    template = spec.get("template")
    if template is None:
        yield field.required(SPEC.child("template"))
        return
    labels = template["metadata"].get("labels") or {}
    if selector and not selector.items() <= labels.items():
        path = SPEC.child("template", "metadata", "labels")
        yield field.invalid(path, shown_map(labels) or None, "`selector` does not match template `labels`")
    yield from validate_pod_template(template, SPEC.child("template"))
    yield from validate_always_restarts(template, SPEC.child("template"), "ReplicationController")


def _update_status(new: Tree, old: Tree) -> Errors:
    counts = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    yield from validate_replica_counts(new["status"], *counts)


RULES: RulesTable = {
    ("", "replicationcontrollers"): Rules(
        _create, name=names.declared_subdomain, subresources={"status": _update_status}
    ),
}
