"""A request in the version of its resource that a rule names: what a webhook or policy gets to see (matchPolicy Equivalent)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from pybernetes.api.scheme import Resource, join_api_version, storage_prefix, storage_resource, type_of
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.registry.served_registry import ServedRegistry


class Face(Struct):
    """`object` and `old` are of the version of `resource`, with apiVersion and kind; `requested` is how the client asked."""

    attributes: Attributes
    requested: Resource
    resource: Resource
    object: Tree | None
    old: Tree | None

    @property
    def kind(self) -> tuple[str, str]:
        """apiVersion and kind of the objects."""
        return self._kind(self.resource)

    @property
    def requested_kind(self) -> tuple[str, str]:
        return self._kind(self.requested)

    @property
    def is_custom(self) -> bool:
        """Whether the object's type is a definition's."""
        return type_of(self.resource) is None

    def _kind(self, resource: Resource) -> tuple[str, str]:
        tree = self.object if self.object is not None else self.old
        part = resource.subresources.get(self.attributes.subresource)
        if part is not None and (tree is None or tree.get("kind") == part.kind):
            return part.api_version, part.kind
        return resource.api_version, resource.kind


class Versions:
    """The versions of resources, and the way from one to another."""

    def __init__(self, registry: ServedRegistry) -> None:
        self.registry = registry

    def requested(self, attributes: Attributes) -> Resource:
        """The resource as the client named it; attributes have that in whose form the server works on objects."""
        own, info = attributes.resource, attributes.ctx.info
        found = self.registry.find(info.api_group, info.api_version, own.plural)
        return found if found is not None and storage_resource(found) == own else own

    def equivalents(self, resource: Resource) -> Iterator[Resource]:
        """The other names of the objects: resources that are stored in the same place."""
        place = storage_prefix(resource)
        for other in self.registry.resources():
            if other != resource and storage_prefix(other) == place:
                yield other

    async def face(self, attributes: Attributes, resource: Resource) -> Face:
        """Raises StatusError where the objects cannot be converted."""
        trees = [
            None if tree is None else await self._shown(tree, attributes, resource)
            for tree in (attributes.object, attributes.old)
        ]
        return Face(attributes, self.requested(attributes), resource, *trees)

    async def back(self, tree: Tree, attributes: Attributes, resource: Resource) -> Tree:
        """An object of the resource's version in the form in which the server works on it. Raises StatusError."""
        own = attributes.resource
        if resource == own or not _is_of(tree, resource):
            return tree
        served = self.registry.served(resource.group, resource.version, resource.plural)
        if served is None or served.custom:
            return await self._converted(tree, resource, own)
        return served.to_storage(tree)

    async def _shown(self, tree: Tree, attributes: Attributes, resource: Resource) -> Tree:
        own = attributes.resource
        whole = tree if "kind" in tree else {"apiVersion": own.api_version, "kind": own.kind, **tree}
        if resource == own or not _is_of(whole, own):
            return whole
        served = self.registry.served(resource.group, resource.version, resource.plural)
        if served is None or served.custom:
            return await self._converted(whole, own, resource)
        return served.from_storage(whole)

    async def _converted(self, tree: Tree, source: Resource, target: Resource) -> Tree:
        served = self.registry.served(source.group, source.version, source.plural)
        if served is None or served.convert is None:
            return tree
        (made,) = await served.convert([tree], target.api_version)
        return made


def _is_of(tree: Tree, resource: Resource) -> bool:
    """Whether it is the object itself, and not one of a subresource's own kind."""
    return (tree.get("apiVersion"), tree.get("kind")) == (
        join_api_version(resource.group, resource.version), resource.kind,
    )  # fmt: skip
