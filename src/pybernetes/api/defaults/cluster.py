"""Roles, priority classes, custom resource definitions, aggregated APIs, tokens."""

from __future__ import annotations

from pybernetes.api.defaults.table import Default, fields, set_empty
from pybernetes.api.tree import Tree

_RBAC = "rbac.authorization.k8s.io"


def _role_ref(ref: Tree) -> None:
    set_empty(ref, "apiGroup", _RBAC)


def _subject(subject: Tree) -> None:
    if subject.get("kind") in ("User", "Group"):
        set_empty(subject, "apiGroup", _RBAC)


def _custom_resource_definition(definition: Tree) -> None:
    spec = definition["spec"]
    names = spec["names"]
    kind = names.get("kind", "")
    if kind:
        set_empty(names, "singular", kind.lower())
        set_empty(names, "listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})
    status = definition.get("status")
    if status is not None and not status.get("storedVersions"):
        stored = [version["name"] for version in spec.get("versions") or () if version.get("storage")]
        if stored:
            status["storedVersions"] = stored[:1]


DEFAULTS: dict[str, Default] = {
    "rbac.v1.RoleRef": _role_ref,
    "rbac.v1.Subject": _subject,
    "scheduling.v1.PriorityClass": fields(preemptionPolicy="PreemptLowerPriority"),
    "authentication.v1.TokenRequestSpec": fields(expirationSeconds=3600),
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition": _custom_resource_definition,
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference": fields(port=443),
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference": fields(port=443),
}
