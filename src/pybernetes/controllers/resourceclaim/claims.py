"""Claims lose the reservations of pods that will not run any more, then their devices, and go with their pods."""

from __future__ import annotations

from msgspec.structs import replace

from pybernetes.api import errors
from pybernetes.api.device_claims import FINALIZER, is_done
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found
from pybernetes.controllers.ownership import controller_of

Claim = resource_v1.ResourceClaim
Consumer = resource_v1.ResourceClaimConsumerReference
_PODS = "pods"


class ClaimReleaseController(KeyedController):
    """Keys are claims."""

    name = "resourceclaim-release-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = context.informers.of(core_v1.Pod)
        self.claims = context.informers.of(Claim)
        self.claims.add_index(_PODS, _pods_of)
        self.pods.subscribe(self._on_pod)
        self.claims.subscribe(self.enqueue_change)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        """Its end is what its claims wait for."""
        pod = new or old
        if pod is not None and pod.spec.resource_claims and (new is None or is_done(new)):
            for claim in self.claims.by_index(_PODS, pod.metadata.uid or ""):
                self.enqueue(claim)

    async def reconcile(self, key: Key) -> None:
        claim = self.claims.get(key[1], key[0])
        if claim is None:
            return
        remaining = [one for one in claim.status.reserved_for if await self._needs(one, key[0])]
        protected = FINALIZER in claim.metadata.finalizers
        if len(remaining) < len(claim.status.reserved_for):
            await self._release(claim, remaining, protected=protected)
        elif protected and claim.metadata.deletion_timestamp is not None and not remaining:
            await self._release(claim, [], protected=True)
        if not remaining and self._is_orphan(claim):
            await ignore_not_found(
                self.client.delete(Claim, claim.metadata.name or "", key[0], uid=claim.metadata.uid or "")
            )

    async def _needs(self, one: Consumer, namespace: str) -> bool:
        """Whether a consumer may still use the claim; what is no pod is not ours to judge."""
        if one.api_group or one.resource != _PODS:
            return True
        pod = self.pods.get(one.name, namespace)
        if pod is None:
            # The scheduler may know a pod of which this cache has not heard.
            try:
                pod = await self.client.get(core_v1.Pod, one.name, namespace)
            except errors.StatusError as error:
                if not errors.is_not_found(error):
                    raise
                return False
        return pod.metadata.uid == one.uid and not is_done(pod)

    async def _release(self, claim: Claim, remaining: list[Consumer], *, protected: bool) -> None:
        """A claim that nobody uses any more gives its devices back, so that it can be allocated anew elsewhere."""
        status = replace(claim.status, reserved_for=remaining)
        if not remaining and protected:
            status = replace(status, allocation=None)
        if status != claim.status:
            claim = await self.client.update_status(replace(claim, status=status))
            self.claims.assume(claim)
        if status.allocation is None and protected:
            finalizers = [name for name in claim.metadata.finalizers if name != FINALIZER]
            metadata = replace(claim.metadata, finalizers=finalizers)
            await self.client.update(replace(claim, metadata=metadata))

    def _is_orphan(self, claim: Claim) -> bool:
        """Whether it was made for a pod that has been replaced or will not run any more. The garbage collector takes
        those whose pods are gone."""
        owner = controller_of(claim)
        if owner is None or owner.kind != "Pod" or claim.metadata.deletion_timestamp is not None:
            return False
        pod = self.pods.get(owner.name, claim.metadata.namespace or "")
        return pod is not None and (pod.metadata.uid != owner.uid or is_done(pod))


def _pods_of(claim: Claim) -> list[str]:
    """The uids of pods whose end concerns it."""
    owners = [owner.uid for owner in claim.metadata.owner_references if owner.kind == "Pod" and owner.controller]
    return owners + [one.uid for one in claim.status.reserved_for if one.resource == _PODS]
