"""What a decision does to a pod's ResourceClaims: each is allocated, and reserved for the pod, before that is bound."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from pybernetes.aio.clock import Clock
from pybernetes.api import errors
from pybernetes.api.device_claims import FINALIZER, claims_of, consumer, is_reserved_for
from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import resource_v1 as resource
from pybernetes.client.informer import Informer
from pybernetes.client.rest import Client
from pybernetes.scheduler.devices.world import Allocations
from pybernetes.scheduler.pod import PodInfo

Claim = resource.ResourceClaim


class ClaimBinder(Struct, frozen=True):
    """Writes what was decided; the resource version keeps us from a claim that somebody else has changed meanwhile."""

    client: Client
    claims: Informer[Claim]
    clock: Clock

    async def bind(self, pod: PodInfo, allocations: Allocations) -> None:
        """Returns when all claims of the pod are allocated and reserved for it. Raises StatusError."""
        namespace = pod.pod.metadata.namespace or ""
        for one in claims_of(pod.pod):
            claim = self.claims.get(one.claim, namespace)
            if claim is None:
                raise errors.not_found("resource.k8s.io", "resourceclaims", one.claim)
            await self._bind(pod.pod, claim, allocations.get((namespace, one.claim)))

    async def _bind(self, pod: core.Pod, claim: Claim, allocation: resource.AllocationResult | None) -> None:
        status = claim.status
        if allocation is not None:
            if FINALIZER not in claim.metadata.finalizers:
                metadata = replace(claim.metadata, finalizers=[*claim.metadata.finalizers, FINALIZER])
                claim = await self.client.update(replace(claim, metadata=metadata))
            now = format_time(self.clock.now())
            status = replace(status, allocation=replace(allocation, allocation_timestamp=now))
        if not is_reserved_for(claim, pod.metadata.uid or ""):
            status = replace(status, reserved_for=[*status.reserved_for, consumer(pod)])
        if status != claim.status:
            self.claims.assume(await self.client.update_status(replace(claim, status=status)))

    async def give_back(self, pod: PodInfo) -> bool:
        """Take the devices from a claim that only this pod would use, which cannot run where they are; False if there
        is none."""
        for one in claims_of(pod.pod):
            claim = self.claims.get(one.claim, pod.pod.metadata.namespace or "")
            if claim is None or claim.status.allocation is None:
                continue
            if all(user.uid == pod.uid for user in claim.status.reserved_for):
                free = resource.ResourceClaimStatus()
                self.claims.assume(await self.client.update_status(replace(claim, status=free)))
                return True
        return False
