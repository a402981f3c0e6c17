"""From a definition to the resources that are served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pybernetes.api.schema import custom_resource_schema
from pybernetes.api.scheme import Resource, Subresource
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.crd.columns import cells_of, columns_of
from pybernetes.apiserver.crd.scale import CustomScale
from pybernetes.apiserver.crd.shape import Shape
from pybernetes.apiserver.crd.strategy import CustomStatus, CustomStrategy
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.resources.strategy import Part

# In the order in which upstream's discovery lists them.
VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
PART_VERBS: Final = ("get", "patch", "update")


class VersionConversion:
    """Versions without a webhook differ in nothing but their name."""

    def __init__(self, served: str, stored: str) -> None:
        self._served, self._stored = served, stored

    def to_storage(self, obj: Tree) -> Tree:
        return obj | {"apiVersion": self._stored}

    def from_storage(self, obj: Tree) -> Tree:
        return obj | {"apiVersion": self._served}


def served_of(definition: Tree, registry: ServedRegistry) -> Iterator[Served]:
    """Each served version, ready for the registry; they share the store of the storage version."""
    versions = definition["spec"]["versions"]
    stored = next(version for version in versions if version["storage"])
    storage = _resource(definition, stored)
    strategy = _strategy(storage, stored)
    store = registry.new_store(storage, strategy)
    for version in versions:
        if not version.get("served"):
            continue
        resource = _resource(definition, version)
        same = version is stored
        source = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
        yield Served(
            resource,
            strategy if same else _strategy(resource, version),
            store,
            custom_resource_schema(source),
            None if same else VersionConversion(resource.api_version, storage.api_version),
            Shape(source),
            columns_of(version),
            cells_of(version),
        )


def _resource(definition: Tree, version: Tree) -> Resource:
    spec = definition["spec"]
    names = (definition.get("status") or {}).get("acceptedNames") or spec["names"]
    subresources = {}
    wanted = version.get("subresources") or {}
    if wanted.get("status") is not None:
        subresources["status"] = Subresource("status", PART_VERBS, spec["group"], version["name"], names["kind"])
    if wanted.get("scale") is not None:
        subresources["scale"] = Subresource("scale", PART_VERBS, "autoscaling", "v1", "Scale")
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        singular=names.get("singular", ""),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=VERBS,
        subresources=subresources,
        list_kind=names.get("listKind", ""),
    )


def _strategy(resource: Resource, version: Tree) -> CustomStrategy:
    parts: dict[str, Part] = {}
    wanted = version.get("subresources") or {}
    path = "spec.replicas"
    source = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
    shape = Shape(source)
    if "status" in resource.subresources:
        parts["status"] = CustomStatus(shape)
    if "scale" in resource.subresources:
        parts["scale"] = CustomScale(wanted["scale"])
        path = wanted["scale"]["specReplicasPath"].removeprefix(".")
    return CustomStrategy(
        resource,
        parts=parts,
        unconditional_update=False,
        tracks_generation=True,
        replicas_path=path,
        shape=shape,
    )
