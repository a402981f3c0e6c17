"""Priority classes and runtime classes."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable, one_of
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import METADATA, complain, validate_labels
from pybernetes.api.validation.pod.resources import validate_container_resources
from pybernetes.api.validation.pod.scheduling import validate_tolerations

_HIGHEST = 1_000_000_000
_SYSTEM = {"system-cluster-critical": (2_000_000_000, False), "system-node-critical": (2_000_001_000, False)}
_POLICIES = ("PreemptLowerPriority", "Never")


def _create(priority: Tree) -> Errors:
    name, value = priority["metadata"].get("name", ""), priority["value"]
    if name.startswith("system-"):
        if (value, bool(priority.get("globalDefault"))) != _SYSTEM.get(name):
            detail = (
                "priority class names with 'system-' prefix are reserved for system use only. "
                f"error: {name} is not a known system priority class"
            )
            yield field.forbidden(METADATA.child("name"), detail)
    elif value > _HIGHEST:
        detail = f"maximum allowed value of a user defined priority is {_HIGHEST}"
        yield field.forbidden(ROOT.child("value"), detail)
    policy = priority.get("preemptionPolicy")
    if policy is not None:
        yield from one_of(policy, ROOT.child("preemptionPolicy"), _POLICIES)


def _update(new: Tree, old: Tree) -> Errors:
    if new["value"] != old["value"]:
        yield field.forbidden(ROOT.child("value"), "may not be changed in an update.")
    path = ROOT.child("preemptionPolicy")
    yield from immutable(new.get("preemptionPolicy"), old.get("preemptionPolicy"), path)


def _create_runtime(runtime: Tree) -> Errors:
    handler = runtime.get("handler", "")
    if handler:
        yield from complain(ROOT.child("handler"), handler, names.dns1123_label(handler))
    else:
        yield field.required(ROOT.child("handler"))
    if runtime.get("overhead") is not None:
        amounts = runtime["overhead"].get("podFixed") or {}
        yield from validate_container_resources({"limits": amounts}, frozenset(), ROOT.child("overhead"))
    selector = (runtime.get("scheduling") or {}).get("nodeSelector")
    if selector:
        yield from validate_labels(selector, ROOT.child("scheduling", "nodeSelector"))
    tolerations = (runtime.get("scheduling") or {}).get("tolerations")
    if tolerations:
        path = ROOT.child("scheduling", "tolerations")
        yield from validate_tolerations(tolerations, path)
        for index, toleration in enumerate(tolerations):
            if toleration in tolerations[:index]:
                yield field.duplicate(path.index(index), _shown(toleration))


def _shown(toleration: Tree) -> Tree:
    names = {"Key": "key", "Operator": "operator", "Value": "value", "Effect": "effect"}
    shown: Tree = {name: toleration.get(key, "") for name, key in names.items()}
    return shown | {"TolerationSeconds": toleration.get("tolerationSeconds")}


def _update_runtime(new: Tree, old: Tree) -> Errors:
    yield from immutable(new.get("handler"), old.get("handler"), ROOT.child("handler"))


RULES: RulesTable = {
    ("scheduling.k8s.io", "priorityclasses"): Rules(_create, _update, update_is_whole=True),
    ("node.k8s.io", "runtimeclasses"): Rules(_create_runtime, _update_runtime, whole_looks=1, plain_finalizers=True),
}
