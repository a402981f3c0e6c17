"""What a driver is asked for: a persistent volume, or a pod's own. Pure."""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.volumes.csi import messages as m

BLOCK = "Block"
_RWO, _RWOP, _ROX, _RWX = "ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany", "ReadWriteMany"
_MODES = {_RWO: 1, _RWOP: 1, _ROX: 3, _RWX: 5}
_FINE_MODES = _MODES | {_RWO: 7, _RWOP: 6}
"""For drivers that tell many writers on a node from one (SINGLE_NODE_MULTI_WRITER)."""


class Source(Struct, frozen=True):
    """`name` is the persistent volume's, or the inline volume's in its pod."""

    name: str
    driver: str
    handle: str
    read_only: bool
    fs_type: str = ""
    attributes: dict[str, str] = {}
    access_modes: list[str] = []
    mount_options: list[str] = []
    is_block: bool = False
    is_ephemeral: bool = False
    stage_secret: v1.SecretReference | None = None
    publish_secret: v1.SecretReference | None = None
    expand_secret: v1.SecretReference | None = None
    claim: v1.ObjectReference | None = None

    @property
    def volume(self) -> tuple[str, str]:
        return self.driver, self.handle

    @property
    def lifecycle(self) -> str:
        return "Ephemeral" if self.is_ephemeral else "Persistent"


def of_volume(volume: v1.PersistentVolume, *, read_only: bool) -> Source:
    """The volume has to be of a CSI driver; `read_only` as the pod has it (the source's own is for the attacher)."""
    spec, source = volume.spec, volume.spec.csi
    assert source is not None
    return Source(
        name=volume.metadata.name or "",
        driver=source.driver,
        handle=source.volume_handle,
        read_only=read_only,
        fs_type=source.fs_type or "",
        attributes=source.volume_attributes,
        access_modes=spec.access_modes,
        mount_options=spec.mount_options,
        is_block=spec.volume_mode == BLOCK,
        stage_secret=source.node_stage_secret_ref,
        publish_secret=source.node_publish_secret_ref,
        expand_secret=source.node_expand_secret_ref,
        claim=spec.claim_ref,
    )


def of_inline(pod: v1.Pod, name: str, source: v1.CSIVolumeSource) -> Source:
    """A volume that lives with its pod; its handle is made of the pod's uid and its name there."""
    secret = source.node_publish_secret_ref
    reference = v1.SecretReference(name=secret.name, namespace=pod.metadata.namespace) if secret else None
    return Source(
        name=name,
        driver=source.driver,
        handle=f"csi-{sha256(f'{pod.metadata.uid}{name}'.encode()).hexdigest()}",
        read_only=bool(source.read_only),
        fs_type=source.fs_type or "",
        attributes=source.volume_attributes,
        is_ephemeral=True,
        publish_secret=reference,
    )


def capability(source: Source, *, is_fine: bool, group: int | None = None) -> m.VolumeCapability:
    """How the volume is to be accessed. `is_fine`: the driver knows the finer modes; `group`: it is to own the volume."""
    modes = _FINE_MODES if is_fine else _MODES
    mode = m.AccessMode(mode=modes.get(source.access_modes[0] if source.access_modes else _RWO, 0))
    if source.is_block:
        return m.VolumeCapability(block=m.Empty(), access_mode=mode)
    mount = m.MountVolume(
        fs_type=source.fs_type,
        mount_flags=source.mount_options,
        volume_mount_group="" if group is None else str(group),
    )
    return m.VolumeCapability(mount=mount, access_mode=mode)


def is_owned(source: Source, policy: str) -> bool:
    """Whether the kubelet gives the volume to the pod's fsGroup, by the driver's `fsGroupPolicy`."""
    if policy == "None" or source.read_only:
        return False
    if policy == "File":
        return True
    return bool(source.fs_type) and (source.is_ephemeral or not {_RWO, _RWOP}.isdisjoint(source.access_modes))


def pod_attributes(pod: v1.Pod, source: Source) -> dict[str, str]:
    """What drivers with `podInfoOnMount` are told."""
    return {
        "csi.storage.k8s.io/pod.name": pod.metadata.name or "",
        "csi.storage.k8s.io/pod.namespace": pod.metadata.namespace or "",
        "csi.storage.k8s.io/pod.uid": pod.metadata.uid or "",
        "csi.storage.k8s.io/serviceAccount.name": pod.spec.service_account_name or "",
        "csi.storage.k8s.io/ephemeral": "true" if source.is_ephemeral else "false",
    }
