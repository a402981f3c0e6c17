"""persistentVolumeClaim volumes: what the claim is bound to, if it lives on this node (hostPath, local)."""

from pathlib import Path

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


async def set_up(context: VolumeContext, volume: str, claim: str) -> tuple[Path, bool]:
    """The node's path of the bound volume, and whether it is a device and no filesystem. Raises VolumeError."""
    bound = await context.doors.claims.volume_of(namespace_of(context.pod), claim)
    spec, run = bound.spec, context.doors.threads.run
    source = spec.local or spec.host_path
    if source is None:
        raise VolumeError(f"the type of persistent volume {bound.metadata.name} is not supported on this node")
    if spec.volume_mode == "Block":
        return await run(blockdevice.checked, context.doors.root.here(source.path)), True
    if isinstance(source, v1.HostPathVolumeSource):
        return await run(_host_path, source, context.doors.root), False
    path = await run(_local, source, context.doors.root)
    if await run(blockdevice.is_block_device, path):
        target = context.volume_path("local-volume", volume)
        await run(blockdevice.mount, path, target, source.fs_type or "", spec.mount_options)
        return target, False
    return path, False


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
