"""From a definition to the resources that are served."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from pybernetes.aio.tasks import Scope
from pybernetes.api.schema import custom_resource_schema
from pybernetes.api.scheme import Resource, Subresource, version_priority
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.crd.columns import cells_of, columns_of
from pybernetes.apiserver.crd.conversion import Converter, Renaming, WebhookConverter
from pybernetes.apiserver.crd.names import is_terminating
from pybernetes.apiserver.crd.relations import Relations, Version
from pybernetes.apiserver.crd.scale import CustomScale
from pybernetes.apiserver.crd.shape import Shape
from pybernetes.apiserver.crd.store import CustomStore
from pybernetes.apiserver.crd.strategy import CustomStatus, CustomStrategy
from pybernetes.apiserver.crd.view import Reader
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.registry.store import Access
from pybernetes.apiserver.resources.strategy import Part
from pybernetes.apiserver.webhook_client import WebhookClient

# In the order in which upstream's discovery lists them.
VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
PART_VERBS: Final = ("get", "patch", "update")


class Serving(Struct, frozen=True):
    """What a definition makes: its served versions, and the store of the version in which objects are stored."""

    served: list[Served]
    stored: CustomStore
    stores: list[CustomStore]

    def close(self) -> None:
        """It is served no longer, or in another way."""
        for store in self.stores:
            store.close()


class Server(Struct, frozen=True):
    """What custom resources need of the API server that serves them."""

    access: Access
    client: WebhookClient
    scope: Scope

    def serve(self, item: Item) -> Serving:
        """Each version of a definition, ready for the registry; each has its own schema, strategy and store."""
        definition, stores, found = item.tree, [], []
        versions = definition["spec"]["versions"]
        converter = self._converter(definition["spec"].get("conversion") or {})
        only = len(versions) == 1 and definition["status"].get("storedVersions") == [versions[0]["name"]]
        settled_at = self.access.cacher.revision if only else None
        relations = Relations(
            {name: one for version in versions for name, one in [_related(definition, version)]}, converter
        )
        replicas = {name: one.replicas_path for name, one in relations.versions.items() if one.replicas_path}
        shapes = {f"{definition['spec']['group']}/{version['name']}": _shape(version) for version in versions}
        for version in versions:
            resource = _resource(definition, version)
            shape = shapes[resource.api_version]
            strategy = _strategy(resource, version, shape, terminating=is_terminating(definition))
            reader = Reader(resource.api_version, shapes, converter, settled_at)
            store = CustomStore(resource, strategy, self.access, reader, relations, converter, self.scope)
            stores.append(store)
            if version["storage"]:
                stored = store
            if version.get("served"):
                found.append(
                    Served(
                        resource,
                        strategy,
                        store,
                        shape=shape,
                        defined=relations.versions[resource.api_version].schema,
                        columns=columns_of(version),
                        cells=cells_of(version),
                        convert=converter.convert,
                        versions=relations,
                        replicas=replicas,
                    )
                )
        return Serving(found, stored, stores)

    def _converter(self, conversion: Tree) -> Converter:
        if conversion.get("strategy") != "Webhook":
            return Renaming()
        return WebhookConverter(conversion["webhook"], self.client, self.scope)


def _shape(version: Tree) -> Shape:
    return Shape((version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"})


def _related(definition: Tree, version: Tree) -> tuple[str, Version]:
    """A version's apiVersion, and what owners of fields have to know of it."""
    source = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
    scale = (version.get("subresources") or {}).get("scale") or {}
    path = (scale.get("specReplicasPath") or "").removeprefix(".")
    return f"{definition['spec']['group']}/{version['name']}", Version(custom_resource_schema(source), path)


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
        deprecation=_deprecation(spec, version),
        stored_version=next(one["name"] for one in spec["versions"] if one["storage"]),
    )


def _deprecation(spec: Tree, version: Tree) -> str:
    """What users of a version are warned of, "" for nothing."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning") is not None:
        return str(version["deprecationWarning"])
    called, kind = version["name"], spec["names"]["kind"]
    known = [one["name"] for one in spec["versions"] if one.get("served") and not one.get("deprecated")]
    better = sorted((one for one in known if version_priority(one) < version_priority(called)), key=version_priority)
    told = f"{spec['group']}/{called} {kind} is deprecated"
    return f"{told}; use {spec['group']}/{better[0]} {kind}" if better else told


def _strategy(resource: Resource, version: Tree, shape: Shape, *, terminating: bool) -> CustomStrategy:
    parts: dict[str, Part] = {}
    wanted = version.get("subresources") or {}
    path = "spec.replicas"
    if "status" in resource.subresources:
        parts["status"] = CustomStatus(shape, wanted.get("scale"))
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
        scale=wanted.get("scale"),
        terminating=terminating,
        fields=tuple(one["jsonPath"].removeprefix(".") for one in version.get("selectableFields") or ()),
    )
