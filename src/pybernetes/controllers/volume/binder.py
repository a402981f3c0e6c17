"""The persistent volume controller: binds claims to volumes, and tells what became of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pybernetes.api import errors
from pybernetes.api import volumes as match
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.api.types.core_v1 import PersistentVolume as Volume
from pybernetes.api.types.core_v1 import PersistentVolumeClaim as Claim
from pybernetes.api.volumes import BIND_COMPLETED, BOUND_BY_CONTROLLER, SELECTED_NODE
from pybernetes.client.cache import Key
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.controllers.context import Context
from pybernetes.controllers.volume.protection import CLAIM_INDEX, claims_of

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
PROVISIONER_ANNOTATIONS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
IN_TREE = "kubernetes.io/"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
EXTERNAL = (
    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system "
    "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
    "registered."
)

replace = msgspec.structs.replace


class PersistentVolumeController:
    """Keys are ("claim", namespace, name) and ("volume", "", name). One worker: no volume is given out twice."""

    name = "persistentvolume-binder-controller"

    def __init__(self, context: Context) -> None:
        self.context, self.client = context, context.client
        self.queue: WorkQueue[tuple[str, str, str]] = WorkQueue(context.clock)
        self.claims = context.informers.of(Claim)
        self.volumes = context.informers.of(Volume)
        self.classes = context.informers.of(storage_v1.StorageClass)
        self.pods = context.informers.of(core_v1.Pod)
        self.pods.add_index(CLAIM_INDEX, claims_of)
        self.recorder = context.recorder("persistentvolume-controller")
        self.claims.subscribe(self._on_claim)
        self.volumes.subscribe(self._on_volume)
        self.classes.subscribe(self._on_class)

    async def run(self) -> None:
        """Returns only when cancelled."""
        await run_workers(self.queue, self._reconcile, workers=1, name=self.name)

    def _on_claim(self, old: Claim | None, new: Claim | None) -> None:
        claim = new or old
        if claim is None:
            return
        self.queue.add(("claim", claim.metadata.namespace or "", claim.metadata.name or ""))
        if claim.spec.volume_name:
            self.queue.add(("volume", "", claim.spec.volume_name))

    def _on_volume(self, old: Volume | None, new: Volume | None) -> None:
        volume = new or old
        if volume is None:
            return
        self.queue.add(("volume", "", volume.metadata.name or ""))
        for claim in self.claims.list():
            if not claim.spec.volume_name or claim.spec.volume_name == volume.metadata.name:
                self.queue.add(("claim", claim.metadata.namespace or "", claim.metadata.name or ""))

    def _on_class(self, old: storage_v1.StorageClass | None, new: storage_v1.StorageClass | None) -> None:
        for claim in self.claims.list():
            if not claim.spec.volume_name:
                self.queue.add(("claim", claim.metadata.namespace or "", claim.metadata.name or ""))

    async def _reconcile(self, key: tuple[str, str, str]) -> None:
        if key[0] == "claim":
            await self._reconcile_claim((key[1], key[2]))
        else:
            await self._reconcile_volume(key[2])

    async def _reconcile_claim(self, key: Key) -> None:
        claim = self.claims.get(key[1], key[0])
        if claim is None or claim.metadata.deletion_timestamp is not None:
            return
        if claim.metadata.annotations.get(BIND_COMPLETED) or claim.spec.volume_name:
            await self._keep_bound(claim)
            return
        volume = match.best(claim, self.volumes.list())
        if volume is None or (volume.spec.claim_ref is None and self._is_delayed(claim)):
            await self._wait(await self._with_default_class(claim))
        elif (mismatch := match.mismatch(volume, claim)) and volume.spec.claim_ref is not None:
            message = f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{claim.metadata.name}" due to {mismatch}.'
            self.recorder.event(volume, "Warning", "VolumeMismatch", message)
            await self._wait(claim)
        else:
            await self._bind(claim, volume)

    async def _with_default_class(self, claim: Claim) -> Claim:
        """A claim made before there was a default class gets it as soon as there is one (KEP-3333)."""
        if claim.spec.storage_class_name is not None or match.class_of(claim):
            return claim
        defaults = [one for one in self.classes.list() if one.metadata.annotations.get(DEFAULT_CLASS) == "true"]
        if not defaults:
            return claim
        newest = max(defaults, key=lambda one: (one.metadata.creation_timestamp or "", one.metadata.name or ""))
        changed = replace(claim, spec=replace(claim.spec, storage_class_name=newest.metadata.name))
        stored = await self.client.update(changed)
        self.claims.assume(stored)
        return stored

    async def _keep_bound(self, claim: Claim) -> None:
        """A claim that names its volume is bound to that, or lost when it is gone."""
        volume = self.volumes.get(claim.spec.volume_name or "")
        if volume is None:
            if claim.metadata.annotations.get(BIND_COMPLETED):
                message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
                if claim.status.phase != "Lost":
                    self.recorder.event(claim, "Warning", "ClaimLost", message)
                await self._write_claim(claim, core_v1.PersistentVolumeClaimStatus(phase="Lost"))
            else:
                await self._write_claim(claim, replace(claim.status, phase="Pending"))
            return
        completed = BIND_COMPLETED in claim.metadata.annotations
        if volume.spec.claim_ref is None and not completed and (mismatch := match.mismatch(volume, claim)):
            message = f'Cannot bind to requested volume "{volume.metadata.name}": {mismatch}'
            self.recorder.event(claim, "Warning", "VolumeMismatch", message)
            await self._write_claim(claim, replace(claim.status, phase="Pending"))
        elif volume.spec.claim_ref is None or match.is_for(volume, claim):
            await self._bind(claim, volume)
        elif not completed:
            message = f'volume "{volume.metadata.name}" already bound to a different claim.'
            self.recorder.event(claim, "Warning", "FailedBinding", message)
            await self._write_claim(claim, replace(claim.status, phase="Pending"))
        elif claim.metadata.annotations.get(BIND_COMPLETED) and claim.status.phase != "Lost":
            message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
            self.recorder.event(claim, "Warning", "ClaimMisbound", message)
            await self._write_claim(claim, core_v1.PersistentVolumeClaimStatus(phase="Lost"))

    def _is_delayed(self, claim: Claim) -> bool:
        """Whether the scheduler is to choose: it sets a volume aside for the claim, or names the node for a new one."""
        found = self.classes.get(match.class_of(claim))
        return found is not None and found.volume_binding_mode == "WaitForFirstConsumer"

    async def _wait(self, claim: Claim) -> None:
        """Say what the claim waits for."""
        found = self.classes.get(match.class_of(claim))
        if self._is_delayed(claim) and SELECTED_NODE not in claim.metadata.annotations:
            place = f"{claim.metadata.namespace}/{claim.metadata.name}"
            pods = [pod for pod in self.pods.by_index(CLAIM_INDEX, place) if not pod.spec.node_name]
            self.recorder.event(claim, "Normal", *waiting_words([pod.metadata.name or "" for pod in pods]))
        elif found is not None and found.provisioner.startswith(IN_TREE):
            message = f"no volume plugin matched name: {found.provisioner}"
            self.recorder.event(claim, "Warning", "ProvisioningFailed", message)
        elif found is not None:
            claim = await self._ask(claim, found.provisioner)
            self.recorder.event(claim, "Normal", "ExternalProvisioning", EXTERNAL.format(found.provisioner))
        elif match.class_of(claim) and found is None:
            message = f'storageclass.storage.k8s.io "{match.class_of(claim)}" not found'
            self.recorder.event(claim, "Warning", "ProvisioningFailed", message)
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            self.recorder.event(claim, "Normal", "FailedBinding", message)
        await self._write_claim(claim, replace(claim.status, phase="Pending"))

    async def _ask(self, claim: Claim, provisioner: str) -> Claim:
        """Tell the provisioner that this claim is its own."""
        asked = {**claim.metadata.annotations, **dict.fromkeys(PROVISIONER_ANNOTATIONS, provisioner)}
        if asked == claim.metadata.annotations:
            return claim
        stored = await self.client.update(replace(claim, metadata=replace(claim.metadata, annotations=asked)))
        self.claims.assume(stored)
        return stored

    async def _bind(self, claim: Claim, volume: Volume) -> None:
        """The volume names the claim first: should this stop midway, nobody else can take it."""
        volume = await self._claim_volume(claim, volume)
        await self._write_phase(volume, "Bound")
        claim = await self._name_volume(claim, volume)
        known = claim.status
        # Of a bound volume its driver says which class it has, and how large it is once it has grown on its node too.
        is_known = known.phase == "Bound"
        current = known.current_volume_attributes_class_name
        attributes = current if is_known else volume.spec.volume_attributes_class_name
        status = replace(
            known,
            phase="Bound",
            access_modes=volume.spec.access_modes,
            capacity=known.capacity if is_known else volume.spec.capacity,
            current_volume_attributes_class_name=attributes,
        )
        await self._write_claim(claim, status)

    async def _claim_volume(self, claim: Claim, volume: Volume) -> Volume:
        found = volume.spec.claim_ref
        if found is not None and found.uid == claim.metadata.uid:
            return volume
        reference = core_v1.ObjectReference(
            api_version=claim.api_version, kind=claim.kind, name=claim.metadata.name,
            namespace=claim.metadata.namespace, uid=claim.metadata.uid, resource_version=claim.metadata.resource_version,
        )  # fmt: skip
        annotations = volume.metadata.annotations
        if found is None:
            annotations = {**annotations, BOUND_BY_CONTROLLER: "yes"}
        changed = replace(
            volume,
            metadata=replace(volume.metadata, annotations=annotations),
            spec=replace(volume.spec, claim_ref=reference),
        )
        stored = await self.client.update(changed)
        self.volumes.assume(stored)
        return stored

    async def _name_volume(self, claim: Claim, volume: Volume) -> Claim:
        annotations = {**claim.metadata.annotations, BIND_COMPLETED: "yes"}
        if not claim.spec.volume_name:
            annotations[BOUND_BY_CONTROLLER] = "yes"
        if annotations == claim.metadata.annotations and claim.spec.volume_name == volume.metadata.name:
            return claim
        changed = replace(
            claim,
            metadata=replace(claim.metadata, annotations=annotations),
            spec=replace(claim.spec, volume_name=volume.metadata.name),
        )
        stored = await self.client.update(changed)
        self.claims.assume(stored)
        return stored

    async def _write_claim(self, claim: Claim, status: core_v1.PersistentVolumeClaimStatus) -> None:
        merged = replace(claim.status, phase=status.phase, access_modes=status.access_modes, capacity=status.capacity)
        if merged != claim.status:
            self.claims.assume(await self.client.update_status(replace(claim, status=merged)))

    async def _reconcile_volume(self, name: str) -> None:
        volume = self.volumes.get(name)
        if volume is None:
            return
        reference = volume.spec.claim_ref
        if reference is None or not reference.uid:
            await self._write_phase(volume, "Available")
            return
        claim = self.claims.get(reference.name or "", reference.namespace or "")
        if claim is not None and claim.metadata.uid == reference.uid:
            await self._write_phase(volume, "Bound")
            return
        if await self._is_gone(reference):
            await self._reclaim(volume)

    async def _is_gone(self, reference: core_v1.ObjectReference) -> bool:
        """Ask the server itself: a volume is not given back because a cache lags."""
        try:
            live = await self.client.get(Claim, reference.name or "", reference.namespace or "")
        except errors.StatusError as error:
            if errors.is_not_found(error):
                return True
            raise
        return live.metadata.uid != reference.uid

    async def _reclaim(self, volume: Volume) -> None:
        """Retained volumes wait for an administrator; those to be deleted are their provisioner's."""
        policy = volume.spec.persistent_volume_reclaim_policy or "Retain"
        await self._write_phase(volume, "Released")
        if policy == "Delete" and PROVISIONED_BY not in volume.metadata.annotations and volume.spec.csi is None:
            message = 'Error getting deleter volume plugin for volume "{}": no deletable volume plugin matched'
            text = message.format(volume.metadata.name)
            self.recorder.event(volume, "Warning", "VolumeFailedDelete", text)
            await self._write_phase(volume, "Failed", text)
        elif policy == "Recycle":
            text = "No recycler plugin found for the volume!"
            self.recorder.event(volume, "Warning", "VolumeFailedRecycle", text)
            await self._write_phase(volume, "Failed", text)

    async def _write_phase(self, volume: Volume, phase: str, message: str | None = None) -> None:
        current = self.volumes.get(volume.metadata.name or "") or volume
        if current.status.phase == phase or (current.status.phase == "Failed" and phase == "Released"):
            return
        patch: dict[str, Any] = {
            "metadata": {"uid": volume.metadata.uid},
            "status": {"phase": phase, "message": message, "lastPhaseTransitionTime": self.context.now()},
        }
        name = volume.metadata.name or ""
        try:
            self.volumes.assume(await self.client.patch(Volume, name, "", patch, subresource="status"))
        except errors.StatusError as error:
            if not errors.is_not_found(error):
                raise


def waiting_words(pods: Sequence[str]) -> tuple[str, str]:
    """Reason and message for a claim whose volume is the scheduler's to choose; `pods` use it and have no node yet."""
    if not pods:
        return "WaitForFirstConsumer", "waiting for first consumer to be created before binding"
    names = ",".join(sorted(pods))
    return "WaitForPodScheduled", f"waiting for pod{'s' if len(pods) > 1 else ''} {names} to be scheduled"
