"""The registry: every resource that is served, and the door to their objects (`Registry`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pybernetes.api import scheme
from pybernetes.api.scheme import Resource
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.cacher.item import Item, Listener
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.registry import creation, updating
from pybernetes.apiserver.registry.conversion import CONVERSIONS, VersionsOfKind
from pybernetes.apiserver.registry.deletion import delete
from pybernetes.apiserver.registry.field_managers import noted
from pybernetes.apiserver.registry.options import WriteOptions, delete_options
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.registry.store import Access, ObjectStore
from pybernetes.apiserver.registry.updating import Update
from pybernetes.apiserver.request_info import RequestInfo
from pybernetes.apiserver.resources.strategy import Strategy
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.user import LOOPBACK, UserInfo

StrategyOf = Callable[[Resource], Strategy]


class ServedRegistry:
    """See `Registry` for what callers may rely on."""

    def __init__(self, access: Access, strategy_of: StrategyOf) -> None:
        self.access = access
        self._strategy_of = strategy_of
        self._served: dict[tuple[str, str, str], Served] = {}
        self._stores: dict[Resource, ObjectStore] = {}
        stored_as: dict[Resource, list[Resource]] = {}
        for resource in scheme.resources():
            stored_as.setdefault(scheme.storage_resource(resource), []).append(resource)
        self._versions = {stored: VersionsOfKind(found) for stored, found in stored_as.items() if len(found) > 1}
        self.services: Services | None = None
        """Set by the server once it is complete; internal writes need it."""
        for resource in scheme.resources():
            self._add_builtin(resource)

    def _add_builtin(self, resource: Resource) -> None:
        stored = scheme.storage_resource(resource)
        store = self._stores.get(stored)
        if store is None:
            store = self._stores[stored] = ObjectStore(stored, self._strategy_of(stored), self.access)
        if stored.group != resource.group:
            store = ObjectStore(stored, store.strategy, self.access, called=resource)
        conversion = CONVERSIONS.get((resource.group, resource.version, resource.plural))
        self.add(Served(resource, store.strategy, store, conversion, versions=self._versions.get(stored)))

    def add(self, served: Served) -> None:
        """Serve a resource from now on, in place of what was served there."""
        resource = served.resource
        self._served[resource.group, resource.version, resource.plural] = served

    def remove(self, resource: Resource) -> None:
        """Serve it no longer. Safe to repeat."""
        self._served.pop((resource.group, resource.version, resource.plural), None)

    def served(self, group: str, version: str, plural: str) -> Served | None:
        return self._served.get((group, version, plural))

    def serves(self, group: str, version: str) -> bool:
        """Whether any resource of the group and version is served."""
        return any(key[:2] == (group, version) for key in self._served)

    async def read(self, resource: Resource, name: str, namespace: str = "") -> Item | None:
        store = self._of(resource).store
        return await store.fetch(store.object_key(namespace, name))

    async def read_all(self, resource: Resource, namespace: str = "") -> list[Item]:
        cache = await self._of(resource).store.settled()
        return cache.select(f"{namespace}/" if namespace else "")

    def new_store(self, resource: Resource, strategy: Strategy) -> ObjectStore:
        """The store of a custom resource."""
        return ObjectStore(resource, strategy, self.access, custom=True)

    # Registry.

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        found = self._served.get((group, version, plural))
        return None if found is None else found.resource

    def resources(self) -> Iterator[Resource]:
        return (served.resource for served in list(self._served.values()))

    def get(self, resource: Resource, name: str, namespace: str = "") -> Item | None:
        return self._of(resource).store.get(namespace, name)

    def list(self, resource: Resource, namespace: str = "") -> list[Item]:
        cache = self._of(resource).store.cache
        return cache.select(f"{namespace}/" if namespace else "") if cache else []

    def cache(self, resource: Resource) -> Cache:
        return self._of(resource).store.cache

    def subscribe(self, resource: Resource, listener: Listener) -> None:
        self._of(resource).store.cache.subscribe(listener)

    async def create(
        self,
        resource: Resource,
        obj: Tree,
        namespace: str = "",
        *,
        user: UserInfo = LOOPBACK,
        dry_run: bool = False,
    ) -> Item:
        served = self._of(resource)
        ctx = self.context(resource, "create", namespace, "", user)
        new = noted(served, None, obj, "", format_time(ctx.services.clock.now()))
        new = {**new, "metadata": dict(new["metadata"])}
        return await creation.create(ctx, served.store, new, namespace, WriteOptions(dry_run, user.name))

    async def update(
        self,
        resource: Resource,
        obj: Tree,
        *,
        subresource: str = "",
        user: UserInfo = LOOPBACK,
        dry_run: bool = False,
        note: bool = True,
        admit: bool = True,
    ) -> Item:
        served = self._of(resource)
        namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        ctx = self.context(resource, "update", namespace, name, user)
        part = served.strategy.parts[subresource] if subresource else None

        def make(current: Item | None) -> Tree:
            new = {**obj, "metadata": dict(obj["metadata"])}
            if part is not None and current is not None:
                new = part.merge(ctx, new, current.tree)
            if note and current is not None:
                new = noted(served, current.tree, new, subresource, format_time(ctx.services.clock.now()))
            return {**new, "metadata": dict(new["metadata"])}

        change = Update(namespace, name, make, WriteOptions(dry_run, user.name), subresource, part, admit=admit)
        item, _ = await updating.update(ctx, served.store, change)
        return item

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        options: Tree | None = None,
        user: UserInfo = LOOPBACK,
        admit: bool = True,
    ) -> Tree:
        served = self._of(resource)
        ctx = self.context(resource, "delete", namespace, name, user)
        obj, _ = await delete(ctx, served.store, namespace, name, delete_options(options or {}), admit=admit)
        return served.typed(obj)

    def _of(self, resource: Resource) -> Served:
        found = self._served.get((resource.group, resource.version, resource.plural))
        if found is None:
            raise LookupError(f"{resource.group_resource} is not served")
        return found

    def context(
        self, resource: Resource, verb: str, namespace: str, name: str, user: UserInfo = LOOPBACK
    ) -> RequestContext:
        """That of a request of the server's own."""
        assert self.services is not None
        path = resource.path(namespace, name)
        info = RequestInfo(path, verb, True, resource.group, resource.version, namespace, resource.plural, "", name)
        return RequestContext(Request("", path, "", [], _NoBody()), info, self.services, user)


class _NoBody:
    async def read(self) -> bytes:
        return b""
