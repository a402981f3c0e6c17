"""persistentVolumeClaim volumes: what the claim is bound to, if it lives on this node (hostPath, local)."""

from pathlib import Path

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import name_of, namespace_of
from pybernetes.kubelet.volumes import hostpath
from pybernetes.kubelet.volumes.context import VolumeContext
from pybernetes.kubelet.volumes.files import VolumeError


def claim_name(pod: v1.Pod, volume: v1.Volume) -> str | None:
    """The claim that a volume names, or that a generic ephemeral volume owns; None for other volumes."""
    if volume.persistent_volume_claim:
        return volume.persistent_volume_claim.claim_name
    return f"{name_of(pod)}-{volume.name}" if volume.ephemeral else None


async def set_up(context: VolumeContext, claim: str) -> Path:
    """The node's path of the bound volume. Raises VolumeError."""
    bound = await context.doors.claims.volume_of(namespace_of(context.pod), claim)
    spec = bound.spec
    if spec.host_path:
        return await context.doors.threads.run(_host_path, spec.host_path)
    if spec.local:
        return await context.doors.threads.run(_local, spec.local)
    raise VolumeError(f"the type of persistent volume {bound.metadata.name} is not supported on this node")


def _host_path(source: v1.HostPathVolumeSource) -> Path:
    """A bind mount needs a directory there: it is made if nothing is."""
    path = hostpath.set_up(source)
    if not source.type and not path.exists():
        hostpath.make_directory(path)
    return path


def _local(source: v1.LocalVolumeSource) -> Path:
    path = Path(source.path)
    if not path.exists():
        raise VolumeError(f'path "{source.path}" does not exist')
    return path
