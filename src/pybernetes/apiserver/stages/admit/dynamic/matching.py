"""Which requests a policy or webhook is about: rules, scope, selectors (AdmissionRegistration v1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pybernetes.api.scheme import Resource
from pybernetes.api.selectors.labels import from_tree
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.faces import Versions
from pybernetes.apiserver.stages.objects import Objects

_EXEMPT: Final = frozenset(
    f"{name}.admissionregistration.k8s.io"
    for name in (
        "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies",
        "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
    )
)  # fmt: skip
"""Nothing that users configure is asked about these: a mistake in them can always be mended."""


class Matching:
    """`objects` knows namespaces, `versions` the names of a resource."""

    def __init__(self, objects: Objects, versions: Versions) -> None:
        self._objects = objects
        self.versions = versions

    def is_exempt(self, attributes: Attributes) -> bool:
        return attributes.resource.group_resource in _EXEMPT

    def match(self, criteria: Tree, rules: str, attributes: Attributes) -> Resource | None:
        """The resource by the name of which the request is meant; None if it is not.

        `criteria` has selectors, a match policy and its rules under the name `rules`.
        """
        equivalent = criteria.get("matchPolicy") != "Exact"
        found = self._by_rules(criteria.get(rules) or (), attributes, equivalent)
        if found is None or self._by_rules(criteria.get("excludeResourceRules") or (), attributes, equivalent):
            return None
        is_selected = self._selects_namespace(criteria, attributes) and _selects_object(criteria, attributes)
        return found if is_selected else None

    def namespace(self, attributes: Attributes) -> Tree | None:
        """The namespace of the request; for one about a namespace, that."""
        if attributes.resource.group_resource == "namespaces":
            return attributes.object or attributes.old
        return self._objects.get("", "namespaces", "", attributes.namespace) if attributes.namespace else None

    def _by_rules(self, rules: Sequence[Tree], attributes: Attributes, equivalent: bool) -> Resource | None:
        """The name that the client used, if a rule has it; else the first that the first rule has."""
        requested = self.versions.requested(attributes)
        if any(_fits(rule, attributes, requested) for rule in rules):
            return requested
        if not equivalent or not rules:
            return None
        others = list(self.versions.equivalents(requested))
        return next((other for rule in rules for other in others if _fits(rule, attributes, other)), None)

    def _selects_namespace(self, criteria: Tree, attributes: Attributes) -> bool:
        selector = criteria.get("namespaceSelector")
        if not selector:
            return True
        namespace = self.namespace(attributes)
        if namespace is None:
            return not attributes.namespace
        return from_tree(selector).matches(namespace["metadata"].get("labels") or {})


def _fits(rule: Tree, attributes: Attributes, resource: Resource) -> bool:
    if not _has(rule.get("operations") or (), attributes.operation):
        return False
    if not _has(rule.get("apiGroups") or (), resource.group) or not _has(
        rule.get("apiVersions") or (), resource.version
    ):
        return False
    if not _names_resource(rule.get("resources") or (), resource.plural, attributes.subresource):
        return False
    names = rule.get("resourceNames") or ()
    if names and attributes.name not in names:
        return False
    scope: str = rule.get("scope", "*")
    # A namespace is no namespaced object, though its requests have a namespace.
    namespaced = bool(attributes.namespace) and resource.group_resource != "namespaces"
    return scope == "*" or (scope == "Namespaced") == namespaced


def _has(wanted: Sequence[str], value: str) -> bool:
    return "*" in wanted or value in wanted


def _names_resource(wanted: Sequence[str], plural: str, subresource: str) -> bool:
    """`pods`, `pods/status`, `pods/*`, `*`, `*/scale`, `*/*`."""
    for each in wanted:
        resource, _, part = each.partition("/")
        if resource in ("*", plural) and (part == subresource or (part == "*")):
            return True
    return False


def _selects_object(criteria: Tree, attributes: Attributes) -> bool:
    """Whether the object, as it is or as it was, is meant."""
    selector = criteria.get("objectSelector")
    if not selector:
        return True
    wanted = from_tree(selector)
    return any(
        wanted.matches((tree.get("metadata") or {}).get("labels") or {})
        for tree in (attributes.object, attributes.old)
        if tree is not None
    )
