"""Directories of this machine at other paths, for hostPath volumes: bind mounts that are kept and made again.

A path is opened once, without following any link in it, and mounted by its descriptor: whoever owns a directory on the
way cannot lead the mount elsewhere, neither now nor at the next start.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.files import write_private
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.remains import mounts_below
from pybernetes.runtime import syscalls

FILE = "mounts.json"
SYSTEM = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/pybernetes",
)
"""Nothing is mounted at these or below them."""


class MountError(ClusterError):
    """The mount cannot be made or taken away; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Mount:
    """`source` without links; `made` is the topmost directory that had to be made for `target`, or ""."""

    source: str
    target: str
    read_only: bool = False
    made: str = ""


def kept(profile: Profile) -> list[Mount]:
    """The mounts of a profile, in the order in which they were made."""
    try:
        return [Mount(**each) for each in json.loads((profile.state / FILE).read_text())]
    except FileNotFoundError:
        return []


def _keep(profile: Profile, mounts: list[Mount]) -> None:
    write_private(profile.state / FILE, json.dumps([asdict(each) for each in mounts], indent=2).encode() + b"\n")


def is_mounted(mount: Mount) -> bool:
    return Path(mount.target) in mounts_below(Path(mount.target))


def add(profile: Profile, source: str, target: str, *, read_only: bool) -> Mount:
    """Mount and keep. Raises MountError."""
    mounts = kept(profile)
    wanted = checked(source, target, read_only=read_only)
    if any(each.target == wanted.target for each in mounts):
        raise MountError(f"{wanted.target} is a mount already", f"p8s mount remove {wanted.target}")
    made = _make(Path(wanted.target))
    mount = Mount(wanted.source, wanted.target, read_only, made)
    try:
        _attach(mount)
    except MountError:
        _unmake(mount)
        raise
    _keep(profile, [*mounts, mount])
    return mount


def checked(source: str, target: str, *, read_only: bool) -> Mount:
    """What is asked for, with full paths. Raises MountError for what cannot be, or would hide something."""
    origin = os.path.realpath(source)
    if not os.path.isdir(origin):
        raise MountError(f"{source} is no directory", "name one that exists: p8s mount HOST:NODE")
    if not os.path.isabs(target) or os.path.normpath(target) != target.rstrip("/") or target.strip("/") == "":
        raise MountError(f"{target} is not a full path", "p8s mount HOST:/path/on/the/node")
    place = target.rstrip("/")
    if any(place == each or place.startswith(f"{each}/") for each in SYSTEM):
        raise MountError(f"{place} belongs to the system", "choose another path, as /mnt/NAME or /data")
    if os.path.realpath(place) != place:
        raise MountError(f"there is a symbolic link in {place}", f"p8s mount {source}:{os.path.realpath(place)}")
    if os.path.commonpath([origin, place]) in (origin, place):
        raise MountError(f"one of {origin} and {place} lies in the other", "choose a path outside")
    if os.path.lexists(place) and not os.path.isdir(place):
        raise MountError(f"{place} is there and is no directory", "choose another path")
    if os.path.isdir(place) and (os.listdir(place) or os.path.ismount(place)):
        raise MountError(f"{place} is not empty: the mount would hide what is there", "choose another path")
    return Mount(origin, place, read_only)


def _make(place: Path) -> str:
    """The directory and those above it that are missing; the topmost of them."""
    missing = [path for path in (place, *place.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        path.chmod(0o755)
    return str(missing[-1]) if missing else ""


def _unmake(mount: Mount) -> None:
    """Directories that were made for it, as far as they are empty."""
    if not mount.made:
        return
    place = Path(mount.target)
    for path in (place, *place.parents):
        if not path.is_relative_to(mount.made):
            return
        try:
            path.rmdir()
        except OSError:
            return


@contextmanager
def _opened(path: str) -> Iterator[int]:
    """A descriptor of a directory, with no link followed on the way. Raises MountError."""
    if sys.platform != "linux":
        raise MountError("directories can be mounted on Linux only")
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = os.O_PATH | os.O_DIRECTORY
        resolve = syscalls.RESOLVE_NO_SYMLINKS | syscalls.RESOLVE_NO_MAGICLINKS
        descriptor = syscalls.openat2(root, path.lstrip("/"), flags, resolve=resolve)
    except OSError as error:
        raise MountError(f"{path}: {os.strerror(error.errno or 0)}", f"p8s mount remove {path}") from error
    finally:
        os.close(root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _attach(mount: Mount) -> None:
    with _opened(mount.source) as source, _opened(mount.target) as target:
        try:
            tree = syscalls.open_tree(source, "", syscalls.OPEN_TREE_CLONE | syscalls.AT_RECURSIVE)
            try:
                if mount.read_only:
                    syscalls.mount_setattr(tree, set=syscalls.MOUNT_RDONLY, recursive=True)
                syscalls.move_mount(tree, target)
            finally:
                os.close(tree)
        except OSError as error:
            raise MountError(f"{mount.source} cannot be mounted at {mount.target}: {error.strerror}") from error


def establish(profile: Profile, report: Callable[[str], None]) -> None:
    """Make those again that a reboot has taken. What cannot be made is reported, and kept for the next start."""
    for mount in kept(profile):
        if is_mounted(mount):
            continue
        try:
            _make(Path(mount.target))
            _attach(mount)
        except (MountError, OSError) as error:
            report(f"mount {mount.source}:{mount.target} could not be made again: {error}")


def remove(profile: Profile, target: str) -> Mount:
    """Take a mount away and forget it. Raises MountError."""
    mounts = kept(profile)
    found = [each for each in mounts if each.target == target.rstrip("/")]
    if not found:
        there_are = ", ".join(each.target for each in mounts)
        raise MountError(
            f"{target} is no mount of cluster {profile.name!r}",
            f"there are: {there_are}" if mounts else "p8s mount list",
        )
    _detach(found[0])
    _keep(profile, [each for each in mounts if each != found[0]])
    return found[0]


def remove_all(profile: Profile) -> None:
    """Those that a deletion takes away; what was mounted stays as it is."""
    for mount in reversed(kept(profile)):
        _detach(mount)


def _detach(mount: Mount) -> None:
    if is_mounted(mount):
        with _opened(mount.target) as target:
            syscalls.umount(f"/proc/self/fd/{target}", syscalls.MNT_DETACH)
    _unmake(mount)
