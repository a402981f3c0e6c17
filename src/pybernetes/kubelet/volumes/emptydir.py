"""emptyDir volumes: a directory that lives as long as the pod, on disk or in memory."""

from pathlib import Path

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes.files import VolumeError

MODE = 0o777


def set_up(path: Path, source: v1.EmptyDirVolumeSource) -> Path:
    """Make it, or leave what is there; safe to repeat. Blocking. Raises VolumeError."""
    is_new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    match source.medium or "":
        case "":
            pass
        case "Memory":
            mount_memory(path, Quantity.parse(source.size_limit or 0).value)
        case medium:
            raise VolumeError(f'unknown storage medium "{medium}"')
    if is_new:
        path.chmod(MODE)
    return path


def mount_memory(path: Path, size: int = 0) -> None:
    """A tmpfs at the path unless there is one already; 0 leaves the kernel's own limit. Blocking."""
    if mounting.is_mount_point(path):
        return
    options = f"mode={MODE:o}" + (f",size={size}" if size else "")
    try:
        mounting.mount("tmpfs", str(path), "tmpfs", mounting.MS_NOSUID | mounting.MS_NODEV, options)
    except OSError as error:
        raise VolumeError(f"mounting tmpfs: {error.strerror}") from error
