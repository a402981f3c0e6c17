"""The namespace controller."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec

from pybernetes.api import errors
from pybernetes.api.scheme import Resource
from pybernetes.api.time import parse_time
from pybernetes.api.types import core_v1
from pybernetes.client.cache import Key
from pybernetes.client.codec import PartialObjectMetadata, metadata_codec
from pybernetes.client.discovery import discover
from pybernetes.controllers.context import Context, KeyedController, do_all, ignore_not_found
from pybernetes.controllers.namespace.conditions import Remains, conditions_of

FINALIZER = "kubernetes"
PARALLEL = 8
# How soon to look again at content that others have to finalize; pods tell themselves when they are gone.
FIRST_RECHECK_SECONDS, LAST_RECHECK_SECONDS = 1.0, 10.0
RECHECK_PODS_SECONDS = 5.0


class NamespaceController(KeyedController):
    """Deletes the content of terminating namespaces, pods first (KEP-5080)."""

    name = "namespace-controller"
    workers = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = context.informers.of(core_v1.Namespace)
        self.pods = context.informers.of(core_v1.Pod)
        self.namespaces.subscribe(self._on_namespace)
        self.pods.subscribe(self._on_pod)

    def _on_namespace(self, old: core_v1.Namespace | None, new: core_v1.Namespace | None) -> None:
        if new is not None and new.metadata.deletion_timestamp is not None:
            self.enqueue(new)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        """The last pod of a terminating namespace opens the way for the rest."""
        if new is None and old is not None:
            namespace = self.namespaces.get(old.metadata.namespace or "")
            if namespace is not None and namespace.metadata.deletion_timestamp is not None:
                self.enqueue(namespace)

    async def reconcile(self, key: Key) -> float | None:
        namespace = self.namespaces.get(key[1])
        since = namespace.metadata.deletion_timestamp if namespace is not None else None
        if namespace is None or since is None:
            return None
        if FINALIZER not in namespace.spec.finalizers:
            return None
        remains = await self._delete_content(key[1])
        namespace = await self._write_conditions(namespace, remains)
        if not remains.is_empty:
            age = self.context.seconds_since(parse_time(since))
            return recheck_seconds(age, only_pods=set(remains.resources) == {"pods"})
        await self._finalize(namespace)
        return None

    async def _delete_content(self, namespace: str) -> Remains:
        """Ask for the deletion of everything; what is still there afterwards."""
        try:
            found = await discover(self.client)
        except errors.StatusError as error:
            return Remains(discovery_errors=[error.message])
        resources = [
            resource
            for resource in found.resources
            if resource.namespaced and {"list", "delete"} <= set(resource.verbs)
        ]
        pods = [resource for resource in resources if (resource.group, resource.plural) == ("", "pods")]
        remains = await self._delete_all(namespace, pods)
        if remains.is_empty:
            remains = await self._delete_all(namespace, [each for each in resources if each not in pods])
        # What an API holds whose server does not answer is not known: the namespace stays until it does.
        return msgspec.structs.replace(remains, discovery_errors=[found.error] if found.stale else [])

    async def _delete_all(self, namespace: str, resources: list[Resource]) -> Remains:
        counts: Counter[str] = Counter()
        finalizers: Counter[str] = Counter()
        failures: list[str] = []
        slots = asyncio.Semaphore(PARALLEL)

        async def one(resource: Resource) -> None:
            async with slots:
                try:
                    left = await self._delete_resource(namespace, resource)
                except errors.StatusError as error:
                    failures.append(f"{resource.group_resource}: {error.message}")
                    return
            if left:
                counts[f"{resource.plural}.{resource.group}"] += len(left)
                finalizers.update(name for found in left for name in found.metadata.finalizers)

        async with asyncio.TaskGroup() as group:
            for resource in resources:
                group.create_task(one(resource))
        named = {name.removesuffix("."): count for name, count in counts.items()}
        return Remains(named, dict(finalizers), deletion_errors=failures)

    async def _delete_resource(self, namespace: str, resource: Resource) -> list[PartialObjectMetadata]:
        """Delete what is there of one resource; what is left."""
        codec = metadata_codec(resource)
        found = (await self.client.list_with(codec, namespace)).items
        if not found:
            return []
        if "deletecollection" in resource.verbs:
            await self.client.delete_collection(resource, namespace)
        else:
            calls = (self.client.delete(resource, one.metadata.name or "", namespace) for one in found)
            await do_all(ignore_not_found(call) for call in calls)
        return (await self.client.list_with(codec, namespace)).items

    async def _write_conditions(self, namespace: core_v1.Namespace, remains: Remains) -> core_v1.Namespace:
        conditions = conditions_of(namespace.status.conditions, remains, self.context.now())
        if conditions == namespace.status.conditions:
            return namespace
        status = msgspec.structs.replace(namespace.status, conditions=conditions)
        written = await self.client.update_status(msgspec.structs.replace(namespace, status=status))
        self.namespaces.assume(written)
        return written

    async def _finalize(self, namespace: core_v1.Namespace) -> None:
        kept = [name for name in namespace.spec.finalizers if name != FINALIZER]
        spec = msgspec.structs.replace(namespace.spec, finalizers=kept)
        try:
            await self.client.update(msgspec.structs.replace(namespace, spec=spec), subresource="finalize")
        except errors.StatusError as error:
            if not errors.is_not_found(error):
                raise


def recheck_seconds(age: float, *, only_pods: bool) -> float:
    """When to look again at what has been going for so long: each look lists all that there can be, and what has taken
    long will take longer."""
    least = RECHECK_PODS_SECONDS if only_pods else FIRST_RECHECK_SECONDS
    return min(LAST_RECHECK_SECONDS, max(least, age / 10))
