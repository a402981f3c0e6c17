"""The resource quota controller: counts what namespaces hold, where admission has only added up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pybernetes.api.quantity import Quantity
from pybernetes.api.quota.amounts import add
from pybernetes.api.quota.scopes import attributes_classes, matches
from pybernetes.api.quota.usage import COUNTED_BY_PLURAL, DEVICES_SUFFIX, usage
from pybernetes.api.scheme import Resource, resources, type_of
from pybernetes.api.tree import Tree
from pybernetes.api.types import apiextensions_v1, apiregistration_v1, core_v1
from pybernetes.client.cache import Key
from pybernetes.client.codec import HasMetadata
from pybernetes.client.discovery import discover
from pybernetes.client.informer import Informer
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController, key_of

# Kinds whose content is counted, not only how many there are.
MEASURED = ("pods", "services", "persistentvolumeclaims", "resourceclaims.resource.k8s.io")
RECOUNT_SECONDS = 300.0
UNKNOWN_SECONDS = 30.0
"""When to look again for a resource that nothing serves yet."""
SYNC_SECONDS = 5.0
"""So long may the first list of a resource take."""
SERVED_SECONDS = (1.0, 10.0)
"""How long after a definition what it defines is looked for: serving follows it."""
# What admission has booked may not be in the cache yet: a count that changed something is checked again soon.
RECHECK_SECONDS = 2.0


class ResourceQuotaController(KeyedController):
    """Counts when a quota's limits change and when something is given back; admission books what is added."""

    name = "resourcequota-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.quotas = context.informers.of(core_v1.ResourceQuota)
        self._watched: dict[Resource, Informer[Any]] = {}
        for kind in (core_v1.Pod, core_v1.Service, core_v1.PersistentVolumeClaim):
            informer: Informer[Any] = context.informers.of(kind)
            self._watched[informer.selection.codec.resource] = informer
            informer.subscribe(self._on_object)
        self.quotas.subscribe(self._on_quota)
        self._served: list[Resource] | None = None
        """What is served beside the built-in kinds; None if that has to be asked."""
        context.informers.of(apiextensions_v1.CustomResourceDefinition).subscribe(self._on_definition)
        context.informers.of(apiregistration_v1.APIService).subscribe(self._on_definition)

    def _on_quota(self, old: core_v1.ResourceQuota | None, new: core_v1.ResourceQuota | None) -> None:
        """Not when admission books: the object that it books for is not there yet."""
        if new is not None and (old is None or new.spec != old.spec or new.spec.hard != new.status.hard):
            self.enqueue(new)

    def _on_definition(self, old: HasMetadata | None, new: HasMetadata | None) -> None:
        """Informers of what is served no longer are forgotten by the garbage collector, who watches everything."""
        self._served = None
        self._watched = {resource: known for resource, known in self._watched.items() if type_of(resource) is not None}
        for quota in self.quotas.list():
            if len(limited_resources(quota.spec.hard, ())) < len({plural_of(name) for name in quota.spec.hard}):
                for seconds in SERVED_SECONDS:
                    self.queue.add_after(key_of(quota), seconds)

    def _on_object(self, old: HasMetadata | None, new: HasMetadata | None) -> None:
        """Something was given back: it is gone, is a pod that has ended, or came under other quotas."""
        if old is not None and (new is None or _gives_back(old, new)):
            for quota in self.quotas.list(old.metadata.namespace or ""):
                self.enqueue(quota)

    async def reconcile(self, key: Key) -> float | None:
        quota = self.quotas.get(key[1], key[0])
        if quota is None or quota.metadata.deletion_timestamp is not None:
            return None
        found: list[tuple[Resource, Tree]] = []
        known: set[str] = set()
        for resource in await self._limited(quota.spec.hard):
            if (informer := await self._informer(resource)) is None:
                continue
            known.add(resource.group_resource)
            found += [(resource, msgspec.to_builtins(obj)) for obj in informer.list(key[0])]
        hard = {name: str(Quantity.parse(amount)) for name, amount in quota.spec.hard.items()}
        counted = [name for name in quota.spec.hard if not name.startswith("count/") or plural_of(name) in known]
        used = {name: value for name, value in count(quota, found).items() if name in counted}
        if (quota.status.hard, quota.status.used) == (hard, used):
            return RECOUNT_SECONDS if len(counted) == len(quota.spec.hard) else UNKNOWN_SECONDS
        status = core_v1.ResourceQuotaStatus(hard=dict(hard), used=dict(used))
        self.quotas.assume(await self.client.update_status(msgspec.structs.replace(quota, status=status)))
        return RECHECK_SECONDS

    async def _limited(self, names: Iterable[str]) -> list[Resource]:
        """The resources that the limits are about; what is served is asked for only if one of them is not built in."""
        if len(found := limited_resources(names, ())) == len({plural_of(name) for name in names}):
            return found
        if self._served is None:
            self._served = [one for one in (await discover(self.client)).resources if type_of(one) is None]
        return limited_resources(names, self._served)

    async def _informer(self, resource: Resource) -> Informer[Any] | None:
        """The cache of a resource, only the metadata of what is only counted; None for one that cannot be listed now:
        other limits, and other quotas, do not wait for it.
        """
        informer = self._watched.get(resource)
        if informer is None:
            informers, kind = self.context.informers, type_of(resource)
            measured = kind is not None and resource.group_resource in MEASURED
            informer = informers.of(kind) if kind is not None and measured else informers.metadata_of(resource)
            self._watched[resource] = informer
            informer.subscribe(self._on_object)
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                await informer.synced.wait()
        except TimeoutError:
            return None
        return informer


def _gives_back(old: HasMetadata, new: HasMetadata) -> bool:
    if isinstance(old, core_v1.PersistentVolumeClaim):
        return attributes_classes(msgspec.to_builtins(old)) != attributes_classes(msgspec.to_builtins(new))
    if not isinstance(old, core_v1.Pod) or not isinstance(new, core_v1.Pod):
        return False
    moved = old.spec.active_deadline_seconds is None and new.spec.active_deadline_seconds is not None
    return moved or podstate.is_finished(new)


def limited_resources(names: Iterable[str], served: Iterable[Resource]) -> list[Resource]:
    """The resources whose objects have to be looked at for these limits: built in, or of those that are served."""
    plurals = {plural_of(name) for name in names}
    found: dict[str, Resource] = {}
    for resource in (*(one for one in resources() if type_of(one) is not None), *served):
        if resource.group_resource in plurals and resource.namespaced:
            found.setdefault(resource.group_resource, resource)
    return list(found.values())


def plural_of(name: str) -> str:
    """The plural (with its group) that a limit is about: "pods", "services", "deployments.apps"."""
    if name.startswith("count/"):
        return name.removeprefix("count/")
    if name.startswith("services"):
        return "services"
    if name == "requests.storage" or ".storageclass." in name:
        return "persistentvolumeclaims"
    if name.endswith(DEVICES_SUFFIX):
        return "resourceclaims.resource.k8s.io"
    return name if name in COUNTED_BY_PLURAL else "pods"


def count(quota: core_v1.ResourceQuota, objects: Sequence[tuple[Resource, Tree]]) -> dict[str, str]:
    """How much of each limit the objects use that the quota looks at."""
    tree: Tree = msgspec.to_builtins(quota)
    total = {name: Quantity() for name in quota.spec.hard}
    for resource, obj in objects:
        if resource.group_resource not in MEASURED and (quota.spec.scopes or quota.spec.scope_selector is not None):
            continue
        if matches(tree, resource, obj):
            used = {name: amount for name, amount in usage(resource, obj).items() if name in total}
            total = add(total, used)
    return {name: str(amount) for name, amount in total.items()}
