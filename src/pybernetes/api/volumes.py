"""Which volume suits a claim, and what the parties to their binding write on them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.quantity import Quantity
from pybernetes.api.selectors import labels
from pybernetes.api.types import core_v1

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def class_of(obj: core_v1.PersistentVolumeClaim | core_v1.PersistentVolume) -> str:
    """The storage class by name; "" for none."""
    return obj.metadata.annotations.get(CLASS_ANNOTATION) or obj.spec.storage_class_name or ""


def is_for(volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> bool:
    """Whether the volume is bound to, or set aside for, this claim (any of its name if it says no UID)."""
    found = volume.spec.claim_ref
    if found is None or (found.namespace, found.name) != (claim.metadata.namespace, claim.metadata.name):
        return False
    return not found.uid or found.uid == claim.metadata.uid


def mismatch(volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> str:
    """Why a volume that was named cannot be bound, in upstream's words; "" if it can. Labels do not matter then."""
    if size_of(volume) < requested(claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if (volume.spec.volume_mode or "Filesystem") != (claim.spec.volume_mode or "Filesystem"):
        return "incompatible volumeMode"
    if not set(claim.spec.access_modes) <= set(volume.spec.access_modes):
        return "incompatible accessMode"
    return ""


def suits(volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> bool:
    """Whether class, mode, access modes, size and labels are what the claim asks for."""
    return (
        volume.metadata.deletion_timestamp is None
        and not mismatch(volume, claim)
        and (claim.spec.selector is None or labels.from_struct(claim.spec.selector).matches(volume.metadata.labels))
    )


def best(
    claim: core_v1.PersistentVolumeClaim, volumes: Iterable[core_v1.PersistentVolume]
) -> core_v1.PersistentVolume | None:
    """A volume set aside for the claim, else the smallest free one that suits it."""
    listed = list(volumes)
    own = next((volume for volume in listed if is_for(volume, claim)), None)
    if own is not None:
        return own
    free = [volume for volume in listed if volume.spec.claim_ref is None and suits(volume, claim)]
    return min(free, key=lambda volume: (size_of(volume), volume.metadata.name or ""), default=None)


def size_of(volume: core_v1.PersistentVolume) -> int:
    return Quantity.parse(volume.spec.capacity.get("storage", 0)).value


def requested(claim: core_v1.PersistentVolumeClaim) -> int:
    requests = claim.spec.resources.requests if claim.spec.resources is not None else {}
    return Quantity.parse(requests.get("storage", 0)).value
