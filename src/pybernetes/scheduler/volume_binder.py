"""What a decision does to claims: each gets its volume, or a node to have one made on, before the pod is bound."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.types import core_v1 as core
from pybernetes.api.volumes import BOUND_BY_CONTROLLER, SELECTED_NODE
from pybernetes.client.informer import Informer
from pybernetes.client.rest import Client
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins.volume_binding import is_reachable
from pybernetes.scheduler.volumes import ClaimKey, Plan, Volumes

SECONDS = 600.0
"""Upstream's bindTimeoutSeconds."""


class VolumeBinder(Struct, frozen=True):
    """Asks; the volume controller and the provisioners carry it out."""

    client: Client
    claims: Informer[core.PersistentVolumeClaim]
    volumes: Volumes

    async def bind(self, plan: Plan, node: NodeState) -> None:
        """Returns when all claims of the plan are bound to volumes that the node reaches. Raises StatusError, too when
        that takes too long, or will not be."""
        for key, volume in plan.items():
            if volume:
                await self._set_aside(volume, key)
            else:
                await self._ask_for(key, node.name)
        try:
            async with asyncio.timeout(SECONDS):
                while False in {self._is_bound(key, volume, node) for key, volume in plan.items()}:
                    await self.volumes.changed.wait()
        except TimeoutError as error:
            raise errors.timeout("binding volumes: context deadline exceeded") from error

    def _is_bound(self, key: ClaimKey, planned: str, node: NodeState) -> bool:
        """Raises StatusError for a claim that has gone, was bound to what is elsewhere, or whose provisioner gave up: it
        takes the node's name from the claim, so that another can be chosen."""
        claim = self.volumes.claims.get(key)
        if claim is None:
            raise errors.not_found("", "persistentvolumeclaims", key[1])
        volume = self.volumes.volumes.get(claim.spec.volume_name or "")
        if volume is not None and not is_reachable(volume, node):
            raise errors.internal(f'pv "{volume.metadata.name}" node affinity doesn\'t match node "{node.name}"')
        if self.volumes.is_bound(key):
            return True
        if not planned and claim.metadata.annotations.get(SELECTED_NODE) != node.name:
            raise errors.internal(f'selectedNode annotation reset for PVC "{key[1]}"')
        return False

    async def _set_aside(self, name: str, key: ClaimKey) -> None:
        """The resource version keeps us from a volume that somebody else has taken meanwhile."""
        volume, claim = self.volumes.volumes.get(name), self.volumes.claims.get(key)
        if volume is None or claim is None:
            raise errors.conflict("", "persistentvolumes", name)
        if volume.spec.claim_ref is not None and volume.spec.claim_ref.uid == claim.metadata.uid:
            return
        reference = {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": key[0], "name": key[1],
            "uid": claim.metadata.uid, "resourceVersion": claim.metadata.resource_version,
        }  # fmt: skip
        metadata: dict[str, object] = {"resourceVersion": volume.metadata.resource_version}
        if volume.spec.claim_ref is None:
            metadata["annotations"] = {BOUND_BY_CONTROLLER: "yes"}
        await self.client.patch(
            core.PersistentVolume, name, "", {"metadata": metadata, "spec": {"claimRef": reference}}
        )  # fmt: skip

    async def _ask_for(self, key: ClaimKey, node: str) -> None:
        claim = self.volumes.claims.get(key)
        if claim is None:
            raise errors.conflict("", "persistentvolumeclaims", key[1])
        patch = {"metadata": {"uid": claim.metadata.uid, "annotations": {SELECTED_NODE: node}}}
        self.claims.assume(await self.client.patch(core.PersistentVolumeClaim, key[1], key[0], patch))
