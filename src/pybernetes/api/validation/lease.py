"""Leases."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable

_SPEC = Path("spec")


def _create(lease: Tree) -> Errors:
    spec = lease.get("spec") or {}
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        yield field.invalid(_SPEC.child("leaseDurationSeconds"), seconds, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield field.invalid(_SPEC.child("leaseTransitions"), transitions, "must be greater than or equal to 0")


RULES: RulesTable = {("coordination.k8s.io", "leases"): Rules(_create, plain_finalizers=True)}
