"""The store of a custom resource in one of its versions: objects are read and written in that, whatever is stored."""

from __future__ import annotations

from pybernetes.aio.tasks import Scope
from pybernetes.api.scheme import Resource, join_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.crd.conversion import Converter
from pybernetes.apiserver.crd.relations import Relations, UnconvertedError
from pybernetes.apiserver.crd.view import Reader, View
from pybernetes.apiserver.registry.commits import Encoded
from pybernetes.apiserver.registry.store import Access, Make, ObjectStore
from pybernetes.apiserver.resources.strategy import Strategy


class CustomStore(ObjectStore):
    """What is written is stored in the version `resource.stored_version`."""

    def __init__(
        self,
        resource: Resource,
        strategy: Strategy,
        access: Access,
        reader: Reader,
        relations: Relations,
        converter: Converter,
        scope: Scope,
    ) -> None:
        super().__init__(resource, strategy, access, custom=True)
        self.relations = relations
        self._converter = converter
        self._stored_api_version = join_api_version(resource.group, resource.stored_version)
        self._reader = reader
        name = f"{resource.group_resource}/{resource.version}"
        self._view = View(self.cache, access.cacher, reader, scope, name)

    @property
    def revision(self) -> int:
        return self._view.revision

    async def settled(self) -> Cache:
        return await self._view.settled()

    async def read(self, items: list[Item]) -> list[Item]:
        known = [self._view.find(item) for item in items]
        made = iter(await self._reader.read([item for item, found in zip(items, known, strict=True) if found is None]))
        return [found if found is not None else next(made) for found in known]

    def close(self) -> None:
        """Served no longer, or in another way: watches end."""
        self._view.close()

    async def encode(self, tree: Tree) -> Encoded:
        (stored,) = await self._converter.convert([tree], self._stored_api_version)
        return await super().encode(stored)

    async def made(self, make: Make, current: Item) -> Tree:
        while True:
            try:
                return make(current)
            except UnconvertedError as missing:
                await self.relations.learn(missing)

    def changes_nothing(self, new: Tree, current: Item) -> bool:
        """What is stored in an older version is written again in that of now: so objects are migrated."""
        stored = self.cache.get(current.key)
        is_migrated = stored is None or stored.tree["apiVersion"] == self._stored_api_version
        return is_migrated and super().changes_nothing(new, current)
