"""What is legal and yet most likely a mistake: the texts of Warning headers, in upstream's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from pybernetes.api.field import Path
from pybernetes.api.mistakes import new_mistakes
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.api.warnings import objects
from pybernetes.api.warnings.annotations import template_annotation_texts
from pybernetes.api.warnings.common import Texts
from pybernetes.api.warnings.pods import name_texts, pod_texts

__all__ = ["warnings_for"]

_Find: TypeAlias = Callable[[Tree], Texts]
_IN_POD_NAMES: Final = "Pod names and hostnames"


def warnings_for(resource: Resource, new: Tree, old: Tree | None = None) -> list[str]:
    """The warnings of a write: upstream's, and likely mistakes.

    What makes pods is only judged when it changes; pods and names only once.
    """
    key, found = (resource.group, resource.plural), list[str]()
    if old is None and key in _NAMED:
        found += name_texts(new["metadata"].get("name", ""), _NAMED[key])
    if key in _OF_SPECS and (old is None or (key not in _ONCE and _judged(old) != _judged(new))):
        found += _OF_SPECS[key](new)
    if key in objects.WARNINGS:
        found += objects.WARNINGS[key](new, old)
    return [*found, *new_mistakes(resource.kind, new, old)]


def _judged(tree: Tree) -> Tree:
    return {name: value for name, value in tree.items() if name not in ("metadata", "status")}


def _pod(pod: Tree) -> Texts:
    return pod_texts(pod["spec"], Path("spec"))


def _template(*steps: str) -> _Find:
    """The warnings of the pod template at a path."""

    def find(tree: Tree) -> Texts:
        for step in steps:
            tree = tree.get(step) or {}
        path = Path(steps[0]).child(*steps[1:])
        yield from template_annotation_texts(tree, path)
        yield from pod_texts(tree.get("spec") or {}, path.child("spec"))

    return find


_NAMED: Final[Mapping[tuple[str, str], str]] = {
    ("", "pods"): "the Pod's hostname",
    ("", "replicationcontrollers"): _IN_POD_NAMES,
    ("apps", "deployments"): _IN_POD_NAMES,
    ("apps", "replicasets"): _IN_POD_NAMES,
    ("batch", "jobs"): _IN_POD_NAMES,
    ("batch", "cronjobs"): _IN_POD_NAMES,
}
"""Kinds whose names are found again elsewhere."""

_ONCE: Final = (("", "pods"),)
"""People seldom change pods themselves, components do it all the time."""

_OF_SPECS: Final[Mapping[tuple[str, str], _Find]] = {
    ("", "pods"): _pod,
    ("", "podtemplates"): _template("template"),
    ("", "replicationcontrollers"): _template("spec", "template"),
    ("apps", "deployments"): _template("spec", "template"),
    ("apps", "replicasets"): _template("spec", "template"),
    ("apps", "statefulsets"): _template("spec", "template"),
    ("apps", "daemonsets"): _template("spec", "template"),
    ("batch", "jobs"): _template("spec", "template"),
    ("batch", "cronjobs"): _template("spec", "jobTemplate", "spec", "template"),
    ("apiextensions.k8s.io", "customresourcedefinitions"): objects.custom_resource_definition,
}
