"""The OpenAPI definitions of custom resources."""

from __future__ import annotations

from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.registry.served_registry import ServedRegistry


def custom_schemas(registry: ServedRegistry, group: str, version: str) -> dict[str, Tree]:
    """Definition name -> schema of each custom resource of a group and version."""
    found: dict[str, Tree] = {}
    for resource in registry.resources():
        if (resource.group, resource.version) != (group, version):
            continue
        served = registry.served(group, version, resource.plural)
        if served is None or not served.custom or served.schema is None:
            continue
        gvk = {"group": group, "kind": resource.kind, "version": version}
        reversed_group = ".".join(reversed(group.split(".")))
        found[f"{reversed_group}.{version}.{resource.kind}"] = {
            **served.schema.source,
            "x-kubernetes-group-version-kind": [gvk],
        }
    return found
