"""Keeps what is served in line with the definitions: names, status, and the end of their objects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from pybernetes.api import scheme
from pybernetes.api.errors import StatusError
from pybernetes.api.scheme import Resource
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.crd.ending import end_objects
from pybernetes.apiserver.crd.names import (
    has_names,
    is_ending,
    is_established,
    is_terminating,
    new_status,
    set_condition,
)
from pybernetes.apiserver.crd.serve import Server, Serving
from pybernetes.apiserver.crd.strategy import CLEANUP
from pybernetes.apiserver.registry.field_managers import field_manager
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.webhook_client import WebhookClient
from pybernetes.store.backend import StoreError

log = logging.getLogger(__name__)
MANAGER: Final = "kube-apiserver"
AGAIN_SECONDS: Final = 1.0


def definition_resource() -> Resource:
    found = scheme.by_plural("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    assert found is not None
    return found


class _Made(Struct, frozen=True):
    """What is served of a definition, as it was then."""

    uid: str
    spec: Tree
    names: Tree
    terminating: bool
    serving: Serving

    def is_of(self, definition: Tree) -> bool:
        now = definition["metadata"]["uid"], definition["spec"], definition["status"].get("acceptedNames")
        return now == (self.uid, self.spec, self.names) and is_terminating(definition) == self.terminating


class DefinitionController:
    """`changed` is called after what is served has changed."""

    def __init__(self, services: Services, registry: ServedRegistry, changed: Callable[[], None]) -> None:
        self._services = services
        self._registry = registry
        self._changed = changed
        self._resource = definition_resource()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._made: dict[str, _Made] = {}
        client = WebhookClient(services.security.objects)
        self._server = Server(registry.access, client, services.scope)

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
                elif error.code >= 500:
                    self._services.scope.spawn(self._again(name), "definition-again")
            except StoreError as error:
                log.warning("definition not reconciled name=%s error=%s", name, error)
                self._services.scope.spawn(self._again(name), "definition-again")
            except Exception:  # of a definition that cannot be judged, which is no trouble of the others
                log.exception("definition not reconciled name=%s", name)

    def _note(self, old: Item | None, new: Item | None) -> None:
        item = new or old
        assert item is not None
        self._queue.put_nowait(item.name)
        if old is not None and (new is None or _names(new) != _names(old)):
            # Names that were given up may be what another definition of the group waits for.
            for other in self._others(item):
                if not has_names(other.tree):
                    self._queue.put_nowait(other.name)

    def _others(self, item: Item) -> list[Item]:
        """Of the same group, which stands in their names."""
        _, _, group = item.name.partition(".")
        return [
            one
            for one in self._registry.list(self._resource)
            if one.name.partition(".")[2] == group and one.name != item.name
        ]

    async def _reconcile(self, name: str) -> None:
        item = self._registry.get(self._resource, name)
        if item is None:
            self._withdraw(name)
        elif "deletionTimestamp" in item.tree["metadata"]:
            await self._end(name, item)
        else:
            await self._establish(name, item)

    async def _establish(self, name: str, item: Item) -> None:
        now = format_time(self._services.clock.now())
        status = new_status(item.tree, [other.tree for other in self._others(item)], now)
        if status != item.tree.get("status"):
            await self._write(item, {"status": status}, "status")
            return  # the write comes back as a change
        if is_established(item.tree):
            self._serve(name, item)

    async def _write(self, item: Item, change: Tree, subresource: str) -> None:
        served = self._registry.served(self._resource.group, self._resource.version, self._resource.plural)
        assert served is not None
        live = served.typed(item.tree)
        now = format_time(self._services.clock.now())
        new = field_manager(served, subresource).update(live, {**live, **change}, MANAGER, now)
        await self._registry.update(self._resource, new, subresource=subresource)

    def _serve(self, name: str, item: Item) -> None:
        before = self._made.get(name)
        if before is not None and before.is_of(item.tree):
            return
        definition, metadata = item.tree, item.tree["metadata"]
        serving = self._server.serve(item)
        resources = [served.resource for served in serving.served]
        for gone in before.serving.served if before is not None else ():
            if gone.resource not in resources:
                self._registry.remove(gone.resource)
        for served in serving.served:
            self._registry.add(served)
        names = definition["status"].get("acceptedNames")
        self._made[name] = _Made(metadata["uid"], definition["spec"], names, is_terminating(definition), serving)
        if before is not None:
            before.serving.close()
        self._changed()

    def _withdraw(self, name: str) -> None:
        made = self._made.pop(name, None)
        if made is None:
            return
        for served in made.serving.served:
            self._registry.remove(served.resource)
        made.serving.close()
        self._changed()

    async def _end(self, name: str, item: Item) -> None:
        """Delete every object of the definition; then let it go."""
        if CLEANUP not in (item.tree["metadata"].get("finalizers") or ()):
            return  # others have something to do yet
        if is_established(item.tree):
            if not is_ending(item.tree):
                words = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
                await self._tell(item, words)
                return  # the write comes back as a change
            self._serve(name, item)
            if left := await end_objects(self._made[name].serving, self._registry):
                await self._tell(item, left)
                self._services.scope.spawn(self._again(name), "definition-cleanup")
                return
            words = ("False", "InstanceDeletionCompleted", "removed all instances")
        else:
            words = ("False", "NeverEstablished", "resource was never established")
        await self._release(name, item, words)

    async def _release(self, name: str, item: Item, words: tuple[str, str, str]) -> None:
        """Take the finalizer away and say why: whoever sees the one sees the other, as with upstream's single write."""
        is_last = item.tree["metadata"]["finalizers"] == [CLEANUP]
        if is_last:  # then what is said is seen with the deletion
            await self._tell(item, words)
        current = self._registry.get(self._resource, name)
        if current is None:
            return
        new = current.decode()
        new["metadata"]["finalizers"] = [one for one in new["metadata"].get("finalizers") or [] if one != CLEANUP]
        await self._registry.update(self._resource, new)
        if not is_last and (left := self._registry.get(self._resource, name)) is not None:
            await self._tell(left, words)

    async def _tell(self, item: Item, words: tuple[str, str, str]) -> None:
        """The condition Terminating."""
        status = item.decode()["status"]
        conditions = status["conditions"] = list(status.get("conditions") or [])
        set_condition(conditions, "Terminating", words, format_time(self._services.clock.now()))
        if status != item.tree["status"]:
            await self._write(item, {"status": status}, "status")

    async def _again(self, name: str) -> None:
        """Objects with finalizers take their time."""
        await self._services.clock.sleep(AGAIN_SECONDS)
        self._queue.put_nowait(name)


def _names(item: Item) -> Tree | None:
    names: Tree | None = (item.tree.get("status") or {}).get("acceptedNames")
    return names
