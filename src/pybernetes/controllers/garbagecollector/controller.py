"""The garbage collector: watches everything, and deletes what its graph says nobody owns any more."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from pybernetes.aio.tasks import open_scope
from pybernetes.api import errors
from pybernetes.api.scheme import Resource
from pybernetes.api.types import apiextensions_v1, apiregistration_v1, meta_v1
from pybernetes.client.codec import HasMetadata, PartialObjectMetadata, metadata_codec
from pybernetes.client.discovery import discover
from pybernetes.client.informer import Informer
from pybernetes.client.patch import PatchType
from pybernetes.client.transport import Request
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.controllers.context import Context, do_all, ignore_not_found
from pybernetes.controllers.garbagecollector.decide import Delete, Keep, Owner, Owners, decide, without_owners
from pybernetes.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Graph, Node, Work

log = logging.getLogger(__name__)

NEEDED_VERBS = frozenset({"delete", "list", "watch"})
IGNORED = frozenset({("", "events"), ("events.k8s.io", "events")})
WORKERS = 20
# An owner that is not in the graph yet is probably on its way: its informer is another one.
DOUBT_SECONDS = 0.5
REDISCOVER_SECONDS = 0.1
SYNC_SECONDS = 10.0
REMEMBERED_ABSENT = 1000


class GarbageCollector:
    """Deletes dependents of owners that are gone, and carries the deletion finalizers out."""

    name = "garbage-collector-controller"

    def __init__(self, context: Context) -> None:
        self.context, self.client = context, context.client
        self.graph = Graph()
        self.queue: WorkQueue[str] = WorkQueue(context.clock)
        self.orphans: WorkQueue[str] = WorkQueue(context.clock)
        self.recorder = context.recorder(self.name)
        self._monitors: dict[Resource, Informer[Any]] = {}
        self._kinds: dict[tuple[str, str], Resource] = {}
        self._absent: dict[str, None] = {}
        self._changed = asyncio.Event()
        for kind in (apiextensions_v1.CustomResourceDefinition, apiregistration_v1.APIService):
            context.informers.of(kind).subscribe(lambda old, new: self._changed.set())

    async def run(self) -> None:
        """Returns only when cancelled."""
        await self._monitor_all()
        async with open_scope(self.name) as scope:
            tasks = [
                scope.spawn(self._keep_discovering(), "discovery"),
                scope.spawn(run_workers(self.queue, self.attempt_to_delete, workers=WORKERS, name=self.name), "delete"),
                scope.spawn(run_workers(self.orphans, self.attempt_to_orphan, workers=5, name=self.name), "orphan"),
            ]
            for task in tasks:
                await task

    async def _keep_discovering(self) -> None:
        """Look again whenever custom resources or aggregated APIs changed, also once shortly after: serving follows."""
        while True:
            await self._changed.wait()
            for delay in (REDISCOVER_SECONDS, 10 * REDISCOVER_SECONDS):
                await self.context.clock.sleep(delay)
                self._changed.clear()
                try:
                    await self._monitor_all()
                except errors.StatusError as error:
                    log.warning("discovery failed error=%s", error.message)
                    self._changed.set()

    async def _monitor_all(self) -> None:
        """Watch every resource that can be deleted; stop watching those that are no longer served.

        One after the other: a starting cluster has more urgent things to do than to answer fifty lists at once.
        """
        found = [
            resource
            for resource in (await discover(self.client)).resources
            if set(resource.verbs) >= NEEDED_VERBS and (resource.group, resource.plural) not in IGNORED
        ]
        for resource in [known for known in self._monitors if known not in found]:
            self.context.informers.forget(self._monitors.pop(resource))
            self._kinds.pop((resource.group, resource.kind), None)
        for resource in [resource for resource in found if resource not in self._monitors]:
            informer = self._monitors[resource] = self.context.informers.metadata_of(resource)
            self._kinds[resource.group, resource.kind] = resource
            informer.subscribe(functools.partial(self._on_change, resource))
            await self._wait_synced(resource, informer)

    async def _wait_synced(self, resource: Resource, informer: Informer[Any]) -> None:
        """A resource whose server does not answer must not keep all others from being collected."""
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                await informer.synced.wait()
        except TimeoutError:
            log.warning("objects not listed in time resource=%s", resource.group_resource)

    def _on_change(self, resource: Resource, old: HasMetadata | None, new: HasMetadata | None) -> None:
        if new is not None:
            self._take(self.graph.put(resource, new.metadata))
        elif old is not None:
            self._remember_absent(old.metadata.uid or "")
            self._take(self.graph.remove(old.metadata.uid or ""))

    def _take(self, work: Work) -> None:
        for uid in work.delete:
            self.queue.add(uid)
        for uid in work.unsure:
            self.queue.add_after(uid, DOUBT_SECONDS)
        for uid in work.orphan:
            self.orphans.add(uid)

    def _remember_absent(self, uid: str) -> None:
        self._absent[uid] = None
        while len(self._absent) > REMEMBERED_ABSENT:
            del self._absent[next(iter(self._absent))]

    async def attempt_to_delete(self, uid: str) -> None:
        """Look at one object: let it be, drop dead owners from it, or delete it."""
        node = self.graph.get(uid)
        if node is None or node.resource is None:
            return
        if node.is_deleting:
            if node.deletes_dependents:
                await self._finish_foreground(node)
            return
        if not node.owners:
            return
        states = {owner.uid: await self._state_of(node, owner) for owner in node.owners}
        match decide(node, Owners(states), self.graph.dependents(node)):
            case Keep(drop) if drop:
                await self._change_metadata(node, lambda meta: {"ownerReferences": _encoded(without_owners(meta.owner_references, drop))})  # fmt: skip
            case Delete(policy, unblock):
                if unblock:
                    await self._change_metadata(node, _unblocked)
                await self._delete(node, policy)
            case _:
                pass

    async def _finish_foreground(self, node: Node) -> None:
        """Let the object go once no dependent blocks it; until then see that they go."""
        blocking = self.graph.blocking(node)
        for dependent in blocking:
            if not dependent.deletes_dependents:
                self.queue.add(dependent.uid)
        if not blocking:
            await self._remove_finalizer(node, FOREGROUND)

    async def attempt_to_orphan(self, uid: str) -> None:
        """Free an object's dependents from it, then let it go."""
        node = self.graph.get(uid)
        if node is None or not node.orphans_dependents:
            return
        freed = frozenset({uid})

        def change(meta: meta_v1.ObjectMeta) -> dict[str, Any]:
            return {"ownerReferences": _encoded(without_owners(meta.owner_references, freed))}

        await do_all(self._change_metadata(dependent, change) for dependent in self.graph.dependents(node))
        await self._remove_finalizer(node, ORPHAN)

    async def _state_of(self, node: Node, owner: meta_v1.OwnerReference) -> Owner:
        """What became of an owner: by the graph, or (if it is not there) by the server."""
        known = self.graph.get(owner.uid)
        if known is not None:
            if known.namespace and known.namespace != node.namespace:
                self._tell_of_wrong_namespace(node, owner)
                return Owner.ABSENT
            return Owner.WAITING if known.deletes_dependents else Owner.SOLID
        if owner.uid in self._absent:
            return Owner.ABSENT
        resource = self._kinds.get((owner.api_version.rpartition("/")[0], owner.kind))
        if resource is None:
            # A kind that is not served (now) says nothing about its objects.
            raise errors.service_unavailable(f"no resource serves {owner.api_version} {owner.kind}")
        if resource.namespaced and not node.namespace:
            self._tell_of_wrong_namespace(node, owner)
            return Owner.SOLID
        live = await self._live(resource, node.namespace, owner.name)
        if live is None or live.uid != owner.uid:
            self._remember_absent(owner.uid)
            return Owner.ABSENT
        # Its informer has yet to see it. If it goes before that, nobody tells.
        self.queue.add_after(node.uid, DOUBT_SECONDS)
        waits = live.deletion_timestamp is not None and FOREGROUND in live.finalizers
        return Owner.WAITING if waits else Owner.SOLID

    def _tell_of_wrong_namespace(self, node: Node, owner: meta_v1.OwnerReference) -> None:
        resource = node.resource
        if resource is None:
            return
        message = f"ownerRef [{owner.api_version}/{owner.kind}, namespace: {node.namespace}, name: {owner.name}, uid: {owner.uid}] does not exist in namespace \"{node.namespace}\""  # fmt: skip
        meta = meta_v1.ObjectMeta(name=node.name, namespace=node.namespace or None, uid=node.uid)
        subject = PartialObjectMetadata(api_version=resource.api_version, kind=resource.kind, metadata=meta)
        self.recorder.event(subject, "Warning", "OwnerRefInvalidNamespace", message)

    async def _live(self, resource: Resource, namespace: str, name: str) -> meta_v1.ObjectMeta | None:
        codec = metadata_codec(resource)
        path = resource.path(namespace if resource.namespaced else "", name)
        try:
            answer = await self.client.transport.request(Request("GET", path, accept=codec.accept))
        except errors.StatusError as error:
            if errors.is_not_found(error):
                return None
            raise
        return codec.object(answer.body).metadata

    async def _delete(self, node: Node, policy: str) -> None:
        if node.resource is None:
            return
        call = self.client.delete(node.resource, node.name, node.namespace, uid=node.uid, propagation_policy=policy)
        try:
            await ignore_not_found(call)
        except errors.StatusError as error:
            # Another object of that name: the one in question is gone.
            if not errors.is_conflict(error):
                raise

    async def _remove_finalizer(self, node: Node, finalizer: str) -> None:
        await self._change_metadata(
            node, lambda meta: {"finalizers": [found for found in meta.finalizers if found != finalizer]}
        )

    async def _change_metadata(self, node: Node, change: Callable[[meta_v1.ObjectMeta], dict[str, Any]]) -> None:
        """Patch the object as it is on the server now; a conflict is a retry of the whole look at it."""
        if node.resource is None:
            return
        live = await self._live(node.resource, node.namespace, node.name)
        if live is None or live.uid != node.uid:
            return
        patch = {"metadata": {"uid": live.uid, "resourceVersion": live.resource_version, **change(live)}}
        await ignore_not_found(self.client.patch(node.resource, node.name, node.namespace, patch, PatchType.MERGE))


def _unblocked(meta: meta_v1.ObjectMeta) -> dict[str, Any]:
    owners = [msgspec.structs.replace(owner, block_owner_deletion=False) for owner in meta.owner_references]
    return {"ownerReferences": _encoded(owners)}


def _encoded(owners: list[meta_v1.OwnerReference]) -> Any:
    """As a merge patch wants it: null takes the whole list away."""
    return msgspec.to_builtins(owners) or None
