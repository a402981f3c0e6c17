"""The stages' view of the registry: objects by group and plural, as stored."""

from collections.abc import Sequence

from pybernetes.api import scheme
from pybernetes.api.scheme import Resource
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.registry.registry import Registry


class RegistryObjects:
    """`Objects` over the server's registry; a kind that is not served has no objects."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._resources: dict[tuple[str, str], Resource] = {}

    def get(self, group: str, plural: str, namespace: str, name: str) -> Tree | None:
        resource = self._resource(group, plural)
        item = self._registry.get(resource, name, namespace) if resource else None
        return item.tree if item else None

    def list(self, group: str, plural: str, namespace: str = "") -> Sequence[Tree]:
        resource = self._resource(group, plural)
        return [item.tree for item in self._registry.list(resource, namespace)] if resource else []

    def _resource(self, group: str, plural: str) -> Resource | None:
        found = self._resources.get((group, plural))
        if found is None:
            versions = scheme.group_versions(group)
            candidates = (self._registry.find(group, version, plural) for version in versions)
            found = next((resource for resource in candidates if resource is not None), None)
            if found is not None:
                self._resources[group, plural] = found
        return found
