"""Questions about what somebody may do, and about who somebody is."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable, Tree

_AUTHORIZATION, _AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"
_SPEC = Path("spec")


def _self(review: Tree) -> Errors:
    spec = review["spec"]
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and other is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        yield field.invalid(_SPEC.child("nonResourceAttributes"), _shown(other), detail)
    elif resource is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        yield field.invalid(_SPEC.child("resourceAttributes"), None, detail)


def _shown(attributes: Tree) -> Tree:
    return {"Path": attributes.get("path", ""), "Verb": attributes.get("verb", "")}


def _subject(review: Tree) -> Errors:
    yield from _self(review)
    if not review["spec"].get("user") and not review["spec"].get("groups"):
        yield field.invalid(_SPEC.child("user"), "", "at least one of user or group must be specified")


def _local(review: Tree) -> Errors:
    yield from _subject(review)
    spec = review["spec"]
    if spec.get("nonResourceAttributes") is not None:
        path = _SPEC.child("nonResourceAttributes")
        yield field.invalid(path, _shown(spec["nonResourceAttributes"]), "disallowed on this kind of request")
    namespace = (spec.get("resourceAttributes") or {}).get("namespace", "")
    if spec.get("resourceAttributes") is not None and namespace != review["metadata"].get("namespace", ""):
        path = _SPEC.child("resourceAttributes", "namespace")
        yield field.invalid(path, namespace, "must match metadata.namespace")


RULES: RulesTable = {
    (_AUTHORIZATION, "selfsubjectaccessreviews"): Rules(_self, nameless=True),
    (_AUTHORIZATION, "subjectaccessreviews"): Rules(_subject, nameless=True),
    (_AUTHORIZATION, "localsubjectaccessreviews"): Rules(_local, nameless=True),
    (_AUTHORIZATION, "selfsubjectrulesreviews"): Rules(nameless=True),
    (_AUTHENTICATION, "selfsubjectreviews"): Rules(nameless=True),
    (_AUTHENTICATION, "tokenreviews"): Rules(nameless=True),
}
