"""persistentVolumeClaim volumes: what the claim is bound to, if it lives on this node (hostPath, local) or a CSI driver
brings it here."""

from pathlib import Path
from typing import NamedTuple

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import name_of, namespace_of
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.volumes import blockdevice, hostpath
from pybernetes.kubelet.volumes.context import VolumeContext
from pybernetes.kubelet.volumes.files import VolumeError


def claim_name(pod: v1.Pod, volume: v1.Volume) -> str | None:
    """The claim that a volume names, or that a generic ephemeral volume owns; None for other volumes."""
    if volume.persistent_volume_claim:
        return volume.persistent_volume_claim.claim_name
    return f"{name_of(pod)}-{volume.name}" if volume.ephemeral else None


class Found(NamedTuple):
    """The node's path of a volume. `is_raw`: nobody is given its files, since it has none (a device), or has been."""

    path: Path
    is_raw: bool


async def set_up(context: VolumeContext, volume: v1.Volume, claim: str) -> Found:
    """Raises VolumeError."""
    bound = await context.doors.claims.volume_of(namespace_of(context.pod), claim)
    spec, run = bound.spec, context.doors.threads.run
    if spec.csi is not None and context.doors.csi is not None:
        is_read_only = bool(volume.persistent_volume_claim and volume.persistent_volume_claim.read_only)
        made = await context.doors.csi.set_up_volume(context.pod, bound, read_only=is_read_only)
        if made.republish:
            context.republished.add(volume.name)
        return Found(made.path, is_raw=True)
    source = spec.local or spec.host_path
    if source is None:
        raise VolumeError(f"the type of persistent volume {bound.metadata.name} is not supported on this node")
    if spec.volume_mode == "Block":
        return Found(await run(blockdevice.checked, context.doors.root.here(source.path)), is_raw=True)
    if isinstance(source, v1.HostPathVolumeSource):
        return Found(await run(_host_path, source, context.doors.root), is_raw=False)
    path = await run(_local, source, context.doors.root)
    if await run(blockdevice.is_block_device, path):
        target = context.volume_path("local-volume", volume.name)
        await run(blockdevice.mount, path, target, source.fs_type or "", spec.mount_options)
        return Found(target, is_raw=False)
    return Found(path, is_raw=False)


def _host_path(source: v1.HostPathVolumeSource, root: Root) -> Path:
    """A bind mount needs a directory there: it is made if nothing is."""
    path = hostpath.set_up(source, root)
    if not source.type and not path.exists():
        hostpath.make_directory(path)
    return path


def _local(source: v1.LocalVolumeSource, root: Root) -> Path:
    path = root.here(source.path)
    if not path.exists():
        raise VolumeError(f'path "{source.path}" does not exist')
    return path
