"""hostPath volumes: a path of the node, checked or made as its type says."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.root import UPSTREAM, Root
from pybernetes.kubelet.volumes.files import VolumeError

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def set_up(source: v1.HostPathVolumeSource, root: Root = UPSTREAM) -> Path:
    """The path, existing and of the right type. Blocking. Raises VolumeError with upstream's words."""
    path, kind = root.here(source.path), source.type or ""
    if kind == "DirectoryOrCreate" and not path.exists():
        make_directory(path)
    if kind == "FileOrCreate" and not path.exists():
        _create_file(path)
    wanted = kind.removesuffix("OrCreate")
    if not wanted:
        return path
    is_right, word = _CHECKS[wanted]
    try:
        mode = path.stat().st_mode
    except OSError:
        mode = 0
    if not is_right(mode):
        raise VolumeError(f"hostPath type check failed: {source.path} is not a {word}")
    return path


def make_directory(path: Path) -> None:
    """Make it, and its parents, so that any user of a pod can enter; the kubelet's own umask is for its own files."""
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        try:
            missing.mkdir()
        except FileExistsError:
            continue
        # Whoever may write its parent may have put a link there since: what was made is opened up, nothing else.
        made = os.open(missing, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(made, 0o755)
        finally:
            os.close(made)


def _create_file(path: Path) -> None:
    """Its directory must exist."""
    try:
        path.touch()
        path.chmod(0o644)
    except OSError as error:
        raise VolumeError(f"hostPath type check failed: {path}: {error.strerror}") from error
