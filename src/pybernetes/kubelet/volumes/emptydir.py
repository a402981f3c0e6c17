"""emptyDir volumes: a directory that lives as long as the pod, on disk or in memory."""

from pathlib import Path

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes.files import VolumeError

MODE = 0o777
MEMORY_MODE = 0o1777
"""As the kernel makes a tmpfs: what one user puts there no other takes away."""


def memory_size(source: v1.EmptyDirVolumeSource, pod_limit: Quantity | None) -> int:
    """What a volume in memory may hold: its own limit, but no more than the pod may use. 0 for no limit. Pure."""
    given = [found.value for found in (Quantity.parse(source.size_limit or 0), pod_limit) if found]
    return min(given, default=0)


def set_up(path: Path, source: v1.EmptyDirVolumeSource, pod_limit: Quantity | None = None) -> Path:
    """Make it, or leave what is there; safe to repeat. Blocking. Raises VolumeError.

    `pod_limit` is the memory that the whole pod may use.
    """
    is_new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    match source.medium or "":
        case "":
            pass
        case "Memory":
            mount_memory(path, memory_size(source, pod_limit))
        case medium:
            raise VolumeError(f'unknown storage medium "{medium}"')
    if is_new:
        path.chmod(MEMORY_MODE if source.medium == "Memory" else MODE)
    return path


def mount_memory(path: Path, size: int = 0) -> None:
    """A tmpfs at the path unless there is one already; 0 leaves the kernel's own limit. Blocking."""
    if mounting.is_mount_point(path):
        return
    options = f"mode={MEMORY_MODE:o}" + (f",size={size}" if size else "")
    try:
        mounting.mount("tmpfs", str(path), "tmpfs", mounting.MS_NOSUID | mounting.MS_NODEV, options)
    except OSError as error:
        raise VolumeError(f"mounting tmpfs: {error.strerror}") from error
