"""What a decision does to claims: each gets its volume, or a node to have one made on, before the pod is bound."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.types import core_v1 as core
from pybernetes.api.volumes import BOUND_BY_CONTROLLER, SELECTED_NODE
from pybernetes.client.rest import Client
from pybernetes.scheduler.volumes import ClaimKey, Plan, Volumes

SECONDS = 600.0
"""Upstream's bindTimeoutSeconds."""


class VolumeBinder(Struct, frozen=True):
    """Asks; the volume controller and the provisioners carry it out."""

    client: Client
    volumes: Volumes

    async def bind(self, plan: Plan, node: str) -> None:
        """Returns when all claims of the plan are bound. Raises StatusError, too when that takes too long."""
        for key, volume in plan.items():
            if volume:
                await self._set_aside(volume, key)
            else:
                await self._ask_for(key, node)
        try:
            async with asyncio.timeout(SECONDS):
                while not all(self.volumes.is_bound(key) for key in plan):
                    await self.volumes.changed.wait()
        except TimeoutError as error:
            raise errors.timeout("binding volumes: context deadline exceeded") from error

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
        await self.client.patch(core.PersistentVolumeClaim, key[1], key[0], patch)
