"""How volumes of CSI drivers are named where several parties have to agree, and what their drivers want. Pure."""

from __future__ import annotations

from hashlib import sha256

from pybernetes.api.types import core_v1, storage_v1

PLUGIN = "kubernetes.io/csi"
_SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})


def unique_name(driver: str, handle: str) -> str:
    """What a node's `volumesAttached` and `volumesInUse` call it."""
    return f"{PLUGIN}/{driver}^{handle}"


def attachment_name(driver: str, handle: str, node: str) -> str:
    """The VolumeAttachment of a volume on a node: the controller makes it by this name, the kubelet looks for it."""
    return f"csi-{sha256(f'{handle}{driver}{node}'.encode()).hexdigest()}"


def is_attachable(driver: storage_v1.CSIDriver | None) -> bool:
    """Drivers that have said nothing want their volumes attached."""
    return driver is None or driver.spec.attach_required is not False


def is_shareable(volume: core_v1.PersistentVolume) -> bool:
    """Whether several nodes may have the volume attached at the same time."""
    modes = volume.spec.access_modes
    return not modes or not _SHARED.isdisjoint(modes)
