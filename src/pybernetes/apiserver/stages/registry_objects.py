"""The stages' view of the registry: objects by group and plural, as stored."""

from collections.abc import Sequence
from typing import Final

from pybernetes.api import scheme
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.registry.registry import Registry

LISTS: Final = 256
SHORT: Final = 16
"""Objects in a list that is kept: of quotas, webhooks and classes there are few, and each write asks for them."""


class RegistryObjects:
    """`Objects` over the server's registry; a kind that is not served has no objects."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._resources: dict[tuple[str, str], Resource] = {}
        self._lists: dict[tuple[str, str, str], tuple[Cache, int, Sequence[Tree]]] = {}
        """Short lists that were asked for, where they come from, and its state then."""

    def get(self, group: str, plural: str, namespace: str, name: str) -> Tree | None:
        resource = self._resource(group, plural)
        item = self._registry.get(resource, name, namespace) if resource else None
        return item.tree if item else None

    def list(self, group: str, plural: str, namespace: str = "") -> Sequence[Tree]:
        key = group, plural, namespace
        known = self._lists.get(key)
        if known is not None and known[0].state == known[1]:
            return known[2]
        resource = self._resource(group, plural)
        if resource is None:
            return []
        cache = self._registry.cache(resource)
        state, found = cache.state, [item.tree for item in self._registry.list(resource, namespace)]
        if len(self._lists) >= LISTS:
            self._lists.clear()
        if len(found) <= SHORT:
            self._lists[key] = cache, state, found
        return found

    def _resource(self, group: str, plural: str) -> Resource | None:
        found = self._resources.get((group, plural))
        if found is None:
            versions = scheme.group_versions(group)
            candidates = (self._registry.find(group, version, plural) for version in versions)
            found = next((resource for resource in candidates if resource is not None), None)
            if found is not None:
                self._resources[group, plural] = found
        return found
