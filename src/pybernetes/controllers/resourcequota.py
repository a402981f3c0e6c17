"""The resource quota controller: counts what namespaces hold, where admission has only added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pybernetes.api.quantity import Quantity
from pybernetes.api.quota.amounts import Tree, add
from pybernetes.api.quota.scopes import matches
from pybernetes.api.quota.usage import COUNTED_BY_PLURAL, usage
from pybernetes.api.scheme import Resource, resources, type_of
from pybernetes.api.types import core_v1
from pybernetes.client.cache import Key
from pybernetes.client.codec import HasMetadata
from pybernetes.client.informer import Informer
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController

# Kinds whose content is counted, not only how many there are.
MEASURED = ("pods", "services", "persistentvolumeclaims")
RECOUNT_SECONDS = 300.0
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

    def _on_quota(self, old: core_v1.ResourceQuota | None, new: core_v1.ResourceQuota | None) -> None:
        """Not when admission books: the object that it books for is not there yet."""
        if new is not None and (old is None or new.spec != old.spec or new.spec.hard != new.status.hard):
            self.enqueue(new)

    def _on_object(self, old: HasMetadata | None, new: HasMetadata | None) -> None:
        """Something was given back: it is gone, or is a pod that has ended."""
        ended = isinstance(new, core_v1.Pod) and podstate.is_finished(new)
        if old is not None and (new is None or ended):
            for quota in self.quotas.list(old.metadata.namespace or ""):
                self.enqueue(quota)

    async def reconcile(self, key: Key) -> float | None:
        quota = self.quotas.get(key[1], key[0])
        if quota is None or quota.metadata.deletion_timestamp is not None:
            return None
        found: list[tuple[Resource, Tree]] = []
        for resource in limited_resources(quota.spec.hard):
            objects = (await self._informer(resource)).list(key[0])
            found += [(resource, msgspec.to_builtins(obj)) for obj in objects]
        hard = {name: str(Quantity.parse(amount)) for name, amount in quota.spec.hard.items()}
        used = count(quota, found)
        if (quota.status.hard, quota.status.used) == (hard, used):
            return RECOUNT_SECONDS
        status = core_v1.ResourceQuotaStatus(hard=dict(hard), used=dict(used))
        self.quotas.assume(await self.client.update_status(msgspec.structs.replace(quota, status=status)))
        return RECHECK_SECONDS

    async def _informer(self, resource: Resource) -> Informer[Any]:
        """The cache of a resource; only the metadata of what is only counted."""
        informer = self._watched.get(resource)
        if informer is None:
            informer = self._watched[resource] = self.context.informers.metadata_of(resource)
            informer.subscribe(self._on_object)
        await informer.synced.wait()
        return informer


def limited_resources(names: Iterable[str]) -> list[Resource]:
    """The resources whose objects have to be looked at for these limits; names that nothing serves are left out."""
    plurals = {_plural(name) for name in names}
    found: dict[str, Resource] = {}
    for resource in resources():
        if resource.group_resource in plurals and resource.namespaced and type_of(resource) is not None:
            found.setdefault(resource.group_resource, resource)
    return list(found.values())


def _plural(name: str) -> str:
    """The plural (with its group) that a limit is about: "pods", "services", "deployments.apps"."""
    if name.startswith("count/"):
        return name.removeprefix("count/")
    if name.startswith("services"):
        return "services"
    if name == "requests.storage" or ".storageclass." in name:
        return "persistentvolumeclaims"
    return name if name in COUNTED_BY_PLURAL else "pods"


def count(quota: core_v1.ResourceQuota, objects: Sequence[tuple[Resource, Tree]]) -> dict[str, str]:
    """How much of each limit the objects use that the quota looks at."""
    tree: Tree = msgspec.to_builtins(quota)
    total = {name: Quantity() for name in quota.spec.hard}
    for resource, obj in objects:
        if resource.plural not in MEASURED and (quota.spec.scopes or quota.spec.scope_selector is not None):
            continue
        if matches(tree, resource, obj):
            used = {name: amount for name, amount in usage(resource, obj).items() if name in total}
            total = add(total, used)
    return {name: str(amount) for name, amount in total.items()}
