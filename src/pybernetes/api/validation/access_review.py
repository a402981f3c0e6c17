"""Questions about what somebody may do, and about who somebody is."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import shown_map
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain

_AUTHORIZATION, _AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"
_SPEC = Path("spec")
_METADATA = Path("metadata")
_SHOWN = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "labels",
    "annotations", "ownerReferences", "finalizers", "managedFields",
)  # fmt: skip
"""The order in which messages show metadata."""


def _self(review: Tree) -> Errors:
    yield from _spec(review)
    yield from _metadata(review, frozenset(), "must be empty")


def _subject(review: Tree) -> Errors:
    yield from _spec(review)
    yield from _named(review)
    yield from _metadata(review, frozenset(), "must be empty")


def _local(review: Tree) -> Errors:
    yield from _spec(review)
    yield from _named(review)
    yield from _metadata(review, frozenset({"namespace"}), "must be empty except for namespace")
    spec = review.get("spec") or {}
    namespace = (spec.get("resourceAttributes") or {}).get("namespace", "")
    if spec.get("resourceAttributes") is not None and namespace != review["metadata"].get("namespace", ""):
        path = _SPEC.child("resourceAttributes", "namespace")
        yield field.invalid(path, namespace, "must match metadata.namespace")
    if spec.get("nonResourceAttributes") is not None:
        path = _SPEC.child("nonResourceAttributes")
        yield field.invalid(path, _shown(spec["nonResourceAttributes"]), "disallowed on this kind of request")


def _spec(review: Tree) -> Errors:
    spec = review.get("spec") or {}
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and other is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        yield field.invalid(_SPEC.child("nonResourceAttributes"), _shown(other), detail)
    elif resource is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        yield field.invalid(_SPEC.child("resourceAttributes"), None, detail)
    for name in ("fieldSelector", "labelSelector"):
        if (selector := (resource or {}).get(name)) is not None:
            yield from _selector(selector, _SPEC.child("resourceAttributes", name), labels=name == "labelSelector")


def _shown(attributes: Tree) -> Tree:
    return {"Path": attributes.get("path", ""), "Verb": attributes.get("verb", "")}


def _named(review: Tree) -> Errors:
    spec = review.get("spec") or {}
    if not spec.get("user") and not spec.get("groups"):
        yield field.invalid(_SPEC.child("user"), "", "at least one of user or group must be specified")


def _metadata(review: Tree, allowed: frozenset[str], detail: str) -> Errors:
    metadata = review.get("metadata") or {}
    if {key for key, value in metadata.items() if value} - allowed - {"managedFields"}:
        shown = {name: metadata[name] for name in _SHOWN if metadata.get(name)}
        for name in ("labels", "annotations"):
            if name in shown:
                shown[name] = shown_map(shown[name])
        yield field.invalid(_METADATA, shown, detail)


def _selector(selector: Tree, path: Path, *, labels: bool) -> Errors:
    raw, requirements = selector.get("rawSelector", ""), selector.get("requirements") or []
    if raw and requirements:
        yield field.invalid(path.child("rawSelector"), raw, "may not specified at the same time as requirements")
    if not raw and not requirements:
        detail = f"when {path} is specified, requirements or rawSelector is required"
        yield field.required(path.child("requirements"), detail)
    for index, requirement in enumerate(requirements):
        yield from _requirement(requirement, path.child("requirements").index(index), labels=labels)


def _requirement(requirement: Tree, path: Path, *, labels: bool) -> Errors:
    """An operator that is not known here is no error: somebody newer may ask."""
    operator, values, key = requirement.get("operator"), requirement.get("values") or [], requirement.get("key", "")
    if operator in ("In", "NotIn") and not values:
        yield field.required(path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'")
    if operator in ("Exists", "DoesNotExist") and values:
        detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield field.forbidden(path.child("values"), detail)
    if labels:
        yield from complain(path.child("key"), key, names.qualified_name(key))
        for index, value in enumerate(values):
            yield from complain(path.child("values").index(index), value, names.label_value(value))
    elif not key:
        yield field.required(path.child("key"), "must be specified")


RULES: RulesTable = {
    (_AUTHORIZATION, "selfsubjectaccessreviews"): Rules(_self, nameless=True),
    (_AUTHORIZATION, "subjectaccessreviews"): Rules(_subject, nameless=True),
    (_AUTHORIZATION, "localsubjectaccessreviews"): Rules(_local, nameless=True),
    (_AUTHORIZATION, "selfsubjectrulesreviews"): Rules(nameless=True),
    (_AUTHENTICATION, "selfsubjectreviews"): Rules(nameless=True),
    (_AUTHENTICATION, "tokenreviews"): Rules(nameless=True),
}
