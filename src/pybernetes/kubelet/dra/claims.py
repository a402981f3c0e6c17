"""The claims of this node's pods: prepared before their sandboxes, given up once nothing of them runs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pybernetes.aio.locks import Locks
from pybernetes.api.device_claims import PodClaim, claims_of, is_made_for, is_reserved_for
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import resource_v1
from pybernetes.kubelet.dra.drivers import Drivers
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.dra.health import Health
from pybernetes.kubelet.dra.state import ClaimRecord, ClaimStore
from pybernetes.kubelet.podspec import AnyContainer, name_of, namespace_of, uid_of

if TYPE_CHECKING:
    from pybernetes.kubelet.dra.messages import Claim

log = logging.getLogger(__name__)

GetClaim = Callable[[str, str], Awaitable[resource_v1.ResourceClaim]]
"""By name and namespace. Raises StatusError."""


class Claims:
    """What is prepared. Of one claim, one thing is done at a time; `get` reads the API."""

    def __init__(self, store: ClaimStore, drivers: Drivers, health: Health, get: GetClaim) -> None:
        self.store, self.drivers = store, drivers
        self._health, self._get = health, get
        self._prepared: set[str] = set()
        """UIDs of claims that were prepared since the kubelet started: after that drivers are asked once more."""
        self._locks: Locks[tuple[str, str]] = Locks()

    async def prepare(self, pod: v1.Pod) -> None:
        """Safe to repeat. Raises ClaimError."""
        found = [await self._claim(pod, claim) for claim in all_claims(pod)]
        if not found:
            return
        for claim in found:  # before anything is recorded: a pod whose driver was never here can just be deleted
            for driver in _drivers_of(claim):
                self.drivers.get(driver)
        async with self._locks.holding(_key(claim) for claim in found):
            records = [self._record(claim) for claim in found]
            for record in records:
                record.pods.add(uid_of(pod))
            await self._save()
            await self._prepare([record for record in records if record.uid not in self._prepared])

    async def _claim(self, pod: v1.Pod, wanted: PodClaim) -> resource_v1.ResourceClaim:
        namespace, name = namespace_of(pod), name_of(pod)
        if not wanted.claim:
            raise ClaimError(f'pod "{namespace}/{name}": ResourceClaim not created yet')
        try:
            claim = await self._get(wanted.claim, namespace)
        except StatusError as error:
            raise ClaimError(f"fetch ResourceClaim {wanted.claim}: {error.message}") from error
        if wanted.template and not is_made_for(claim, pod):
            words = f"ResourceClaim {namespace}/{wanted.claim} was not created for Pod {namespace}/{name}"
            raise ClaimError(f"{words} (Pod is not owner)")
        if not is_reserved_for(claim, uid_of(pod)):
            words = f"is not allowed to use ResourceClaim {wanted.claim} ({claim.metadata.uid})"
            raise ClaimError(f"pod {name} ({uid_of(pod)}) {words}")
        if claim.status.allocation is None:
            raise ClaimError(f"ResourceClaim {wanted.claim}: not allocated")
        return claim

    def _record(self, claim: resource_v1.ResourceClaim) -> ClaimRecord:
        record = self.store.records.get(_key(claim))
        if record is None:
            namespace, name = _key(claim)
            drivers = dict.fromkeys(_drivers_of(claim))
            record = ClaimRecord(namespace, name, claim.metadata.uid or "", {driver: [] for driver in drivers})
            self.store.records[namespace, name] = record
        elif record.uid != claim.metadata.uid:
            raise ClaimError(
                f"old ResourceClaim with same name {record.name} and different UID {record.uid} "
                "still exists (previous pod force-deleted?!)"
            )
        return record

    async def _prepare(self, records: list[ClaimRecord]) -> None:
        by_uid = {record.uid: record for record in records}
        for name, claims in _batches(records).items():
            for uid, devices in (await self.drivers.get(name).prepare(claims)).items():
                by_uid[uid].drivers[name] = devices
        self._prepared |= by_uid.keys()
        if records:
            await self._save()

    async def unprepare(self, pod_uid: str) -> None:
        """Give up what only this pod uses. Safe to repeat. Raises ClaimError: it is to be tried again."""
        records = self.store.of_pod(pod_uid)
        if not records:
            return
        async with self._locks.holding((record.namespace, record.name) for record in records):
            last = [record for record in records if record.pods == {pod_uid}]
            for name, claims in _batches(last).items():
                await self.drivers.get(name).unprepare(claims)
            for record in records:
                record.pods.discard(pod_uid)
            for record in last:
                self.store.records.pop((record.namespace, record.name), None)
                self._prepared.discard(record.uid)
            await self._save()

    def are_prepared_for(self, pod_uid: str) -> bool:
        """Whether something of the pod is left to give up."""
        return bool(self.store.of_pod(pod_uid))

    def pods(self) -> set[str]:
        """UIDs of all pods whose claims were prepared."""
        return {uid for record in self.store.records.values() for uid in record.pods}

    def users_of(self, driver: str, pool: str, device: str) -> set[str]:
        """UIDs of the pods that have a device."""
        return {
            uid
            for record in self.store.records.values()
            for owner, each in record.devices()
            if (owner, each.pool, each.name) == (driver, pool, device)
            for uid in record.pods
        }

    def of_container(self, pod: v1.Pod, container: AnyContainer) -> Iterator[tuple[str, str, ClaimRecord]]:
        """The pod's name for a claim, the request that the container names of it ("": all), and the record."""
        names = {claim.name: claim.claim for claim in claims_of(pod)}
        wanted = container.resources.claims if container.resources else []
        asked = [(claim.name, names.get(claim.name, ""), claim.request or "") for claim in wanted]
        extended = pod.status.extended_resource_claim_status
        if extended is not None:
            requests = container.resources.requests if container.resources else {}
            asked += [
                ("", extended.resource_claim_name, mapping.request_name)
                for mapping in extended.request_mappings
                if mapping.container_name == container.name and mapping.resource_name in requests
            ]
        for name, claim, request in asked:
            record = self.store.records.get((namespace_of(pod), claim))
            if claim and record is None:
                raise ClaimError(
                    f"internal error: unable to get claim info for ResourceClaim {claim} in namespace {namespace_of(pod)}"
                )
            if record is not None:
                yield name, request, record

    def cdi_names(self, pod: v1.Pod, container: AnyContainer) -> list[str]:
        """What the runtime is to give the container. Raises ClaimError."""
        found: dict[str, None] = {}
        for _, request, record in self.of_container(pod, container):
            for _, device in record.devices(request):
                found |= dict.fromkeys(device.cdi)
        return list(found)

    def statuses(self, pod: v1.Pod, container: AnyContainer) -> list[v1.ResourceStatus]:
        """`allocatedResourcesStatus` of the container's claims."""
        made = []
        try:
            for name, request, record in self.of_container(pod, container):
                if not name:
                    continue
                found: dict[str, v1.ResourceHealth] = {}
                for driver, device in record.devices(request.partition("/")[0]):
                    told = self._health.of(driver, device.pool, device.name)
                    identity = device.cdi[0] if device.cdi else f"{driver}/{device.pool}/{device.name}"
                    health = v1.ResourceHealth(resource_id=identity, health=told.health, message=told.message or None)
                    found.setdefault(identity, health)
                if found:
                    label = f"claim:{name}/{request}" if request else f"claim:{name}"
                    made.append(v1.ResourceStatus(name=label, resources=list(found.values())))
        except ClaimError:
            return []
        return made

    async def _save(self) -> None:
        try:
            await self.store.save()
        except OSError as error:
            raise ClaimError(f"checkpoint ResourceClaim state: {error}") from error


def all_claims(pod: v1.Pod) -> Iterator[PodClaim]:
    """Those of the spec, and the one that stands for the pod's extended resources."""
    yield from claims_of(pod)
    extended = pod.status.extended_resource_claim_status
    if extended is not None:
        yield PodClaim("", extended.resource_claim_name)


def has_claims(pod: v1.Pod) -> bool:
    return bool(pod.spec.resource_claims) or pod.status.extended_resource_claim_status is not None


def _key(claim: resource_v1.ResourceClaim) -> tuple[str, str]:
    return claim.metadata.namespace or "", claim.metadata.name or ""


def _drivers_of(claim: resource_v1.ResourceClaim) -> list[str]:
    allocation = claim.status.allocation
    results = allocation.devices.results if allocation and allocation.devices else []
    return list(dict.fromkeys(result.driver for result in results))


def _batches(records: Iterable[ClaimRecord]) -> dict[str, list[Claim]]:
    """Driver -> the claims of which it has devices."""
    from pybernetes.kubelet.dra.messages import Claim

    found: dict[str, list[Claim]] = {}
    for record in records:
        for driver in record.drivers:
            found.setdefault(driver, []).append(Claim(namespace=record.namespace, uid=record.uid, name=record.name))
    return found
