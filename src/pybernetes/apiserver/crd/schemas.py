"""The OpenAPI definitions of custom resources."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.crd.strategy import CustomStrategy
from pybernetes.apiserver.openapi.custom import published
from pybernetes.apiserver.registry.served_registry import ServedRegistry


def custom_schemas(registry: ServedRegistry, group: str, version: str, prefix: str, swagger: bool) -> dict[str, Tree]:
    """Definition name -> schema of each kind of a group and version that is not built in, and of its list."""
    found: dict[str, Tree] = {}
    for resource in registry.resources():
        if (resource.group, resource.version) != (group, version):
            continue
        served = registry.served(group, version, resource.plural)
        if served is not None and served.defined is not None:
            fields = served.strategy.fields if isinstance(served.strategy, CustomStrategy) else ()
            source = dict(served.defined.source)
            found |= published(resource, source, prefix, swagger=swagger, selectable=fields)
    return found
