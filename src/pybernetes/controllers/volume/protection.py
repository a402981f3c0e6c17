"""The protection controllers: claims that pods use, bound volumes, and classes of attributes that claims or volumes
name are deleted only afterwards."""

from __future__ import annotations

from typing import Any

from pybernetes.api.types import core_v1, storage_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"
ATTRIBUTES_FINALIZER = "kubernetes.io/vac-protection"
CLAIM_INDEX = "claim"
ATTRIBUTES_INDEX = "attributes"


def claims_of(pod: core_v1.Pod) -> list[str]:
    """An index function: the claims that a pod mounts, as "namespace/name"; finished pods mount none."""
    if podstate.is_finished(pod):
        return []
    found = []
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            found.append(f"{pod.metadata.namespace}/{volume.persistent_volume_claim.claim_name}")
        elif volume.ephemeral is not None:
            # A generic ephemeral volume has a claim named after the pod and itself.
            found.append(f"{pod.metadata.namespace}/{pod.metadata.name}-{volume.name}")
    return found


def without_finalizer(uid: str | None, finalizer: str) -> dict[str, Any]:
    """The strategic merge patch that takes a finalizer from this very object."""
    return {"metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [finalizer]}}


class ClaimProtectionController(KeyedController):
    """Keys are claims."""

    name = "persistentvolumeclaim-protection-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.claims = context.informers.of(core_v1.PersistentVolumeClaim)
        self.pods = context.informers.of(core_v1.Pod)
        self.pods.add_index(CLAIM_INDEX, claims_of)
        self.claims.subscribe(self.enqueue_change)
        self.pods.subscribe(self._on_pod)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        """A claim may be free when a pod that used it is gone or has ended."""
        if old is None or not (before := claims_of(old)):
            return
        still = claims_of(new) if new is not None else []
        for name in set(before).difference(still):
            namespace, _, claim = name.partition("/")
            self.queue.add((namespace, claim))

    async def reconcile(self, key: Key) -> None:
        claim = self.claims.get(key[1], key[0])
        if claim is None or claim.metadata.deletion_timestamp is None:
            return
        if CLAIM_FINALIZER not in claim.metadata.finalizers or await self._is_used(claim):
            return
        patch = without_finalizer(claim.metadata.uid, CLAIM_FINALIZER)
        kind = core_v1.PersistentVolumeClaim
        await ignore_not_found(self.client.patch(kind, key[1], key[0], patch, PatchType.STRATEGIC))

    async def _is_used(self, claim: core_v1.PersistentVolumeClaim) -> bool:
        """By a pod that has a node: others would not get one any more. The cache may not know the latest, so the server
        has the last word.
        """
        namespace = claim.metadata.namespace or ""
        place = f"{namespace}/{claim.metadata.name}"
        if any(pod.spec.node_name for pod in self.pods.by_index(CLAIM_INDEX, place)):
            return True
        live = (await self.client.list(core_v1.Pod, namespace)).items
        return any(pod.spec.node_name and place in claims_of(pod) for pod in live)


class VolumeProtectionController(KeyedController):
    """Keys are volumes."""

    name = "persistentvolume-protection-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.volumes = context.informers.of(core_v1.PersistentVolume)
        self.volumes.subscribe(self.enqueue_change)

    async def reconcile(self, key: Key) -> None:
        volume = self.volumes.get(key[1])
        if volume is None or volume.metadata.deletion_timestamp is None or volume.status.phase == "Bound":
            return
        if VOLUME_FINALIZER in volume.metadata.finalizers:
            patch = without_finalizer(volume.metadata.uid, VOLUME_FINALIZER)
            await ignore_not_found(self.client.patch(core_v1.PersistentVolume, key[1], "", patch, PatchType.STRATEGIC))


def attributes_of_claim(claim: core_v1.PersistentVolumeClaim) -> list[str]:
    """An index function: the classes that a claim asks for, has, and is being changed to."""
    status = claim.status
    changing = status.modify_volume_status.target_volume_attributes_class_name if status.modify_volume_status else None
    names = (claim.spec.volume_attributes_class_name, status.current_volume_attributes_class_name, changing)
    return sorted({name for name in names if name})


def attributes_of_volume(volume: core_v1.PersistentVolume) -> list[str]:
    """An index function."""
    return [volume.spec.volume_attributes_class_name] if volume.spec.volume_attributes_class_name else []


class AttributesProtectionController(KeyedController):
    """Keys are classes of volume attributes."""

    name = "volumeattributesclass-protection-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.classes = context.informers.of(storage_v1.VolumeAttributesClass)
        self.claims = context.informers.of(core_v1.PersistentVolumeClaim)
        self.volumes = context.informers.of(core_v1.PersistentVolume)
        self.claims.add_index(ATTRIBUTES_INDEX, attributes_of_claim)
        self.volumes.add_index(ATTRIBUTES_INDEX, attributes_of_volume)
        self.classes.subscribe(self.enqueue_change)
        self.claims.subscribe(self._on_claim)
        self.volumes.subscribe(self._on_volume)

    def _on_claim(self, old: core_v1.PersistentVolumeClaim | None, new: core_v1.PersistentVolumeClaim | None) -> None:
        self._let_go(attributes_of_claim(old) if old else [], attributes_of_claim(new) if new else [])

    def _on_volume(self, old: core_v1.PersistentVolume | None, new: core_v1.PersistentVolume | None) -> None:
        self._let_go(attributes_of_volume(old) if old else [], attributes_of_volume(new) if new else [])

    def _let_go(self, before: list[str], still: list[str]) -> None:
        for name in set(before).difference(still):
            self.queue.add(("", name))

    async def reconcile(self, key: Key) -> None:
        found = self.classes.get(key[1])
        if found is None or found.metadata.deletion_timestamp is None:
            return
        used = self.claims.by_index(ATTRIBUTES_INDEX, key[1]) or self.volumes.by_index(ATTRIBUTES_INDEX, key[1])
        if used or ATTRIBUTES_FINALIZER not in found.metadata.finalizers:
            return
        patch = without_finalizer(found.metadata.uid, ATTRIBUTES_FINALIZER)
        kind = storage_v1.VolumeAttributesClass
        await ignore_not_found(self.client.patch(kind, key[1], "", patch, PatchType.STRATEGIC))
