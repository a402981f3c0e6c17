"""The storage class `standard`: a claim gets a directory of this machine, made when its first pod has a node."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.aio.threads import Worker
from pybernetes.api import errors
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types import storage_v1 as storage
from pybernetes.api.volumes import SELECTED_NODE, class_of
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.controllers.volume.binder import DEFAULT_CLASS, PROVISIONED_BY, PROVISIONER_ANNOTATIONS

PROVISIONER = "pybernetes.io/host-path"
FINALIZER = "pybernetes.io/host-path"
"""A volume stays until its data are gone."""

CLASS = storage.StorageClass(
    metadata=meta.ObjectMeta(name="standard", annotations={DEFAULT_CLASS: "true"}),
    provisioner=PROVISIONER,
    reclaim_policy="Delete",
    volume_binding_mode="WaitForFirstConsumer",
    allow_volume_expansion=True,
)


async def run(informers: Informers, root: Path, clock: Clock) -> None:
    """Keep the class in place, and directories for its claims below `root`, until cancelled."""
    recorder = EventRecorder(informers.client, PROVISIONER, clock=clock)
    files = Worker("volumes")
    try:
        await HostPathProvisioner(informers, root, clock, recorder, files).run()
    finally:
        await files.close()
        await recorder.close()


class HostPathProvisioner:
    """Keys are ("class" | "claim" | "volume", namespace, name).

    The nodes of a profile share this machine's disk, so directories are made and removed here and not by an agent.
    """

    def __init__(self, informers: Informers, root: Path, clock: Clock, recorder: EventRecorder, files: Worker) -> None:
        self._client, self._root, self._recorder, self._files = informers.client, root, recorder, files
        self._queue: WorkQueue[tuple[str, str, str]] = WorkQueue(clock)
        self._claims = informers.of(core.PersistentVolumeClaim)
        self._volumes = informers.of(core.PersistentVolume)
        self._classes = informers.of(storage.StorageClass)

    async def run(self) -> None:
        """Returns only when cancelled."""
        self._queue.add(("class", "", ""))
        for informer in (self._claims, self._volumes, self._classes):
            await informer.synced.wait()
        self._claims.subscribe(self._on_claim)
        self._volumes.subscribe(self._on_volume)
        await run_workers(self._queue, self._reconcile, workers=2, name="storage")

    def _on_claim(self, old: core.PersistentVolumeClaim | None, new: core.PersistentVolumeClaim | None) -> None:
        if new is not None and new.metadata.annotations.get(PROVISIONER_ANNOTATIONS[0]) == PROVISIONER:
            self._queue.add(("claim", new.metadata.namespace or "", new.metadata.name or ""))

    def _on_volume(self, old: core.PersistentVolume | None, new: core.PersistentVolume | None) -> None:
        if new is not None and new.metadata.annotations.get(PROVISIONED_BY) == PROVISIONER:
            self._queue.add(("volume", "", new.metadata.name or ""))

    async def _reconcile(self, key: tuple[str, str, str]) -> None:
        if key[0] == "class":
            body, name = msgspec.json.encode(CLASS), CLASS.metadata.name or ""
            await self._client.patch(
                storage.StorageClass, name, "", body, PatchType.APPLY, field_manager="pybernetes-cluster", force=True
            )
        elif key[0] == "claim" and (claim := self._claims.get(key[2], key[1])) is not None:
            await self._provision(claim)
        elif key[0] == "volume" and (volume := self._volumes.get(key[2])) is not None:
            await self._reclaim(volume)

    async def _provision(self, claim: core.PersistentVolumeClaim) -> None:
        """Make the directory, then the volume that names it, set aside for the claim. Safe to repeat."""
        found = self._classes.get(class_of(claim))
        name = f"pvc-{claim.metadata.uid}"
        volume = self._volumes.get(name)
        if volume is not None and claim.status.phase == "Bound":
            await self._grow(claim, volume)
        if claim.spec.volume_name or claim.metadata.deletion_timestamp is not None or volume is not None:
            return
        is_placed = SELECTED_NODE in claim.metadata.annotations
        if found is None or (not is_placed and found.volume_binding_mode == "WaitForFirstConsumer"):
            return
        told = (
            f'External provisioner is provisioning volume for claim "{claim.metadata.namespace}/{claim.metadata.name}"'
        )
        self._recorder.event(claim, "Normal", "Provisioning", told)
        if (claim.spec.volume_mode or "Filesystem") != "Filesystem":
            message = f'failed to provision volume with StorageClass "{class_of(claim)}": only volumeMode Filesystem is supported'
            self._recorder.event(claim, "Warning", "ProvisioningFailed", message)
            return
        await self._files.run(make_directory, self._root / name)
        try:
            self._volumes.assume(await self._client.create(volume_for(claim, found, self._root / name)))
        except errors.StatusError as error:
            if not errors.is_already_exists(error):
                raise
        self._recorder.event(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}")

    async def _grow(self, claim: core.PersistentVolumeClaim, volume: core.PersistentVolume) -> None:
        """A directory has all the room there is: only what the objects say has to follow the request."""
        wanted = storage_of(claim.spec.resources.requests if claim.spec.resources is not None else {})
        if Quantity.parse(wanted) <= Quantity.parse(storage_of(claim.status.capacity)):
            return
        size = {"capacity": {"storage": wanted}}
        name, namespace = claim.metadata.name or "", claim.metadata.namespace or ""
        if Quantity.parse(storage_of(volume.spec.capacity)) < Quantity.parse(wanted):
            patched = await self._client.patch(core.PersistentVolume, volume.metadata.name or "", "", {"spec": size})
            self._volumes.assume(patched)
        patch = {"status": {**size, "allocatedResources": {"storage": wanted}}}
        grown = await self._client.patch(core.PersistentVolumeClaim, name, namespace, patch, subresource="status")
        self._claims.assume(grown)
        self._recorder.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")

    async def _reclaim(self, volume: core.PersistentVolume) -> None:
        """Released data go with their volume where the policy is Delete; then nothing holds the volume back."""
        released = volume.status.phase == "Released"
        deletes = released and volume.spec.persistent_volume_reclaim_policy == "Delete"
        deleted = volume.metadata.deletion_timestamp is not None
        if not deletes and not (deleted and volume.status.phase != "Bound"):
            return
        name, uid = volume.metadata.name or "", volume.metadata.uid or ""
        # Only what this provisioner made: whoever may write volumes could name any path of the machine.
        if deletes and volume.spec.host_path and Path(volume.spec.host_path.path) == self._root / name:
            await self._files.run(remove_directory, self._root / name)
        patch = {"metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
        try:
            if not deleted:
                await self._client.delete(core.PersistentVolume, name, "", uid=uid)
            await self._client.patch(core.PersistentVolume, name, "", patch, PatchType.STRATEGIC)
        except errors.StatusError as error:
            if not errors.is_not_found(error):
                raise


def storage_of(resources: Mapping[str, str | int | float]) -> str:
    """The size among resources, "0" if there is none."""
    return str(resources.get("storage", "0"))


def volume_for(
    claim: core.PersistentVolumeClaim, storage_class: storage.StorageClass, path: Path
) -> core.PersistentVolume:
    """The volume made for a claim. Every node of the machine has it: data go with a pod that moves. Pure."""
    requests = claim.spec.resources.requests if claim.spec.resources is not None else {}
    reference = core.ObjectReference(
        api_version="v1", kind="PersistentVolumeClaim", name=claim.metadata.name, namespace=claim.metadata.namespace,
        uid=claim.metadata.uid, resource_version=claim.metadata.resource_version,
    )  # fmt: skip
    return core.PersistentVolume(
        metadata=meta.ObjectMeta(name=path.name, annotations={PROVISIONED_BY: PROVISIONER}, finalizers=[FINALIZER]),
        spec=core.PersistentVolumeSpec(
            capacity={"storage": storage_of(requests)},
            access_modes=claim.spec.access_modes,
            persistent_volume_reclaim_policy=storage_class.reclaim_policy or "Delete",
            storage_class_name=storage_class.metadata.name,
            mount_options=storage_class.mount_options,
            volume_mode="Filesystem",
            host_path=core.HostPathVolumeSource(path=str(path), type="DirectoryOrCreate"),
            claim_ref=reference,
        ),
    )


def make_directory(path: Path) -> None:
    """Containers of any user may write there, since ownership of host paths is not changed for them. Blocking."""
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    path.mkdir(exist_ok=True)
    os.chmod(path, 0o777)


def remove_directory(path: Path) -> None:
    """Take the directory away with all that is in it; links in it are not followed. Safe to repeat. Blocking."""
    if path.exists():
        shutil.rmtree(path)
