"""Keeps what is served in line with the definitions: names, status, and the end of their objects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pybernetes.api import scheme
from pybernetes.api.errors import StatusError
from pybernetes.api.scheme import Resource
from pybernetes.api.time import format_time
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.context import Tree
from pybernetes.apiserver.crd.names import is_established, new_status
from pybernetes.apiserver.crd.serve import served_of
from pybernetes.apiserver.crd.strategy import CLEANUP
from pybernetes.apiserver.registry.field_managers import field_manager
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.services import Services

log = logging.getLogger(__name__)
MANAGER = "kube-apiserver"


def definition_resource() -> Resource:
    found = scheme.by_plural("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    assert found is not None
    return found


class DefinitionController:
    """`changed` is called after what is served has changed."""

    def __init__(self, services: Services, registry: ServedRegistry, changed: Callable[[], None]) -> None:
        self._services = services
        self._registry = registry
        self._changed = changed
        self._resource = definition_resource()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._served: dict[str, list[Resource]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        self._registry.subscribe(self._resource, self._note)
        while True:
            name = await self._queue.get()
            try:
                await self._reconcile(name)
            except StatusError as error:
                log.warning("definition not reconciled name=%s error=%s", name, error)
                if error.code == 409:
                    self._queue.put_nowait(name)

    def _note(self, old: Item | None, new: Item | None) -> None:
        item = new or old
        assert item is not None
        self._queue.put_nowait(item.name)

    async def _reconcile(self, name: str) -> None:
        item = self._registry.get(self._resource, name)
        if item is None:
            self._withdraw(name)
        elif "deletionTimestamp" in item.tree["metadata"]:
            await self._end(name, item)
        else:
            await self._establish(name, item)

    async def _establish(self, name: str, item: Item) -> None:
        group = item.tree["spec"]["group"]
        others = [
            one.tree
            for one in self._registry.list(self._resource)
            if one.tree["spec"]["group"] == group and one.name != name
        ]
        now = format_time(self._services.clock.now())
        status = new_status(item.tree, others, now)
        if status != item.tree.get("status"):
            await self._write(item, {"status": status}, "status")
            return  # the write comes back as a change
        if is_established(item.tree):
            self._serve(name, item.tree)

    async def _write(self, item: Item, change: Tree, subresource: str) -> None:
        served = self._registry.served(self._resource.group, self._resource.version, self._resource.plural)
        assert served is not None
        live = served.typed(item.tree)
        now = format_time(self._services.clock.now())
        new = field_manager(served, subresource).update(live, {**live, **change}, MANAGER, now)
        await self._registry.update(self._resource, new, subresource=subresource)

    def _serve(self, name: str, definition: Tree) -> None:
        before = self._served.pop(name, [])
        made = list(served_of(definition, self._registry))
        resources = [served.resource for served in made]
        for gone in before:
            if gone not in resources:
                self._registry.remove(gone)
        for served in made:
            self._registry.add(served)
        self._served[name] = resources
        self._changed()

    def _withdraw(self, name: str) -> None:
        gone = self._served.pop(name, [])
        for resource in gone:
            self._registry.remove(resource)
        if gone:
            self._changed()

    async def _end(self, name: str, item: Item) -> None:
        """Delete every object of the definition; then let it go."""
        for resource in self._served.get(name, [])[:1]:
            for one in self._registry.list(resource):
                metadata = one.tree["metadata"]
                try:
                    await self._registry.delete(resource, metadata["name"], metadata.get("namespace", ""))
                except StatusError as error:
                    if error.code != 404:
                        raise
            if self._registry.list(resource):
                self._services.scope.spawn(self._again(name), "definition-cleanup")
                return
        self._withdraw(name)
        metadata = item.decode()["metadata"]
        metadata["finalizers"] = [one for one in metadata.get("finalizers") or [] if one != CLEANUP]
        await self._registry.update(self._resource, item.decode() | {"metadata": metadata})

    async def _again(self, name: str) -> None:
        """Objects with finalizers take their time."""
        await self._services.clock.sleep(1.0)
        self._queue.put_nowait(name)
