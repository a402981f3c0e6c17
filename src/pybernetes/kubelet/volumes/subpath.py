"""subPath: a part of a volume, bound by descriptor, so that no link can lead it out (CVE-2017-1002101, CVE-2021-25741)."""

import errno
import os
import stat
from pathlib import Path

from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes.files import VolumeError


def bind(volume: Path, sub_path: str, target: Path) -> Path:
    """Bind `sub_path` of the volume to `target`, made if it is missing. Safe to repeat. Blocking.

    The result is what the container mounts; what a container later does to the volume cannot redirect it.
    """
    if mounting.is_mount_point(target):
        mounting.unmount(str(target))
    root = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = _open(root, sub_path)
    except OSError as error:
        raise VolumeError(f'failed to prepare subPath "{sub_path}": {_reason(error)}') from error
    finally:
        os.close(root)
    try:
        _make_target(target, is_directory=stat.S_ISDIR(os.fstat(found).st_mode))
        mounting.mount(f"/proc/self/fd/{found}", str(target), flags=mounting.MS_BIND)
    except OSError as error:
        raise VolumeError(f'failed to bind subPath "{sub_path}": {error.strerror}') from error
    finally:
        os.close(found)
    return target


def _reason(error: OSError) -> str:
    return "it leads out of the volume" if error.errno == errno.EXDEV else str(error.strerror)


def _open(root: int, sub_path: str) -> int:
    """Each step is resolved by the kernel below the volume; missing ones are made, as open as the volume itself."""
    parts = [part for part in sub_path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), sub_path)
    for depth in range(1, len(parts)):
        os.close(_open_or_make(root, "/".join(parts[:depth])))
    return _open_or_make(root, "/".join(parts) or ".")


def _open_or_make(root: int, path: str) -> int:
    try:
        return mounting.open_beneath(root, path, os.O_PATH)
    except FileNotFoundError:
        parent = mounting.open_beneath(root, os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY)
        try:
            os.mkdir(os.path.basename(path), dir_fd=parent)
            made = mounting.open_beneath(root, path, os.O_DIRECTORY)
            try:
                os.fchmod(made, stat.S_IMODE(os.fstat(root).st_mode))
            finally:
                os.close(made)
        finally:
            os.close(parent)
        return mounting.open_beneath(root, path, os.O_PATH)


def _make_target(target: Path, *, is_directory: bool) -> None:
    if is_directory:
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
