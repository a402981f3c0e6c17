"""Which requests a policy or webhook is about: rules, scope, selectors (AdmissionRegistration v1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pybernetes.api.scheme import Resource
from pybernetes.api.selectors.labels import from_tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.registry.registry import Registry
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
    """`objects` knows namespaces, `registry` the versions of a resource."""

    def __init__(self, objects: Objects, registry: Registry) -> None:
        self._objects = objects
        self._registry = registry

    def is_exempt(self, attributes: Attributes) -> bool:
        return attributes.resource.group_resource in _EXEMPT

    def matches(self, criteria: Tree, rules: str, attributes: Attributes) -> bool:
        """`criteria` has selectors, a match policy and its rules under the name `rules`."""
        equivalent = criteria.get("matchPolicy") != "Exact"
        if not self._any_rule(criteria.get(rules) or (), attributes, equivalent):
            return False
        if self._any_rule(criteria.get("excludeResourceRules") or (), attributes, equivalent):
            return False
        return self._selects_namespace(criteria, attributes) and _selects_object(criteria, attributes)

    def namespace(self, attributes: Attributes) -> Tree | None:
        """The namespace of the request; for one about a namespace, that."""
        if attributes.resource.group_resource == "namespaces":
            return attributes.object or attributes.old
        return self._objects.get("", "namespaces", "", attributes.namespace) if attributes.namespace else None

    def _any_rule(self, rules: Iterable[Tree], attributes: Attributes, equivalent: bool) -> bool:
        return any(self._fits(rule, attributes, equivalent) for rule in rules)

    def _fits(self, rule: Tree, attributes: Attributes, equivalent: bool) -> bool:
        resource = attributes.resource
        if not _has(rule.get("operations") or (), attributes.operation):
            return False
        if not _has(rule.get("apiGroups") or (), resource.group):
            return False
        if not _names_resource(rule.get("resources") or (), resource.plural, attributes.subresource):
            return False
        if not self._names_version(rule.get("apiVersions") or (), resource, equivalent):
            return False
        names = rule.get("resourceNames") or ()
        if names and attributes.name not in names:
            return False
        scope: str = rule.get("scope", "*")
        # A namespace is no namespaced object, though its requests have a namespace.
        namespaced = bool(attributes.namespace) and resource.group_resource != "namespaces"
        return scope == "*" or (scope == "Namespaced") == namespaced

    def _names_version(self, versions: Sequence[str], resource: Resource, equivalent: bool) -> bool:
        if _has(versions, resource.version):
            return True
        group, plural = resource.group, resource.plural
        return equivalent and any(self._registry.find(group, version, plural) for version in versions)

    def _selects_namespace(self, criteria: Tree, attributes: Attributes) -> bool:
        selector = criteria.get("namespaceSelector")
        if not selector:
            return True
        namespace = self.namespace(attributes)
        if namespace is None:
            return not attributes.namespace
        return from_tree(selector).matches(namespace["metadata"].get("labels") or {})


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
