"""Take away what is left of a profile or a node when its processes have ended: mounts, cgroups, files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pybernetes.cluster.errors import ClusterError


class DeleteError(ClusterError):
    """Something could not be taken away; the message names it. Safe to try again."""


def mounts_below(place: Path) -> list[Path]:
    """Mount points below a directory, the innermost first. Octal escapes stand for blanks and the like."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode(errors="surrogateescape")
        if Path(point).is_relative_to(place):
            found.append(Path(point))
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def unmount_below(place: Path) -> None:
    """Unmount everything below; raises DeleteError if a mount stays, since what it shows must not be removed."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    for point in mounts_below(place):
        detach = 2
        if libc.umount2(os.fsencode(point), detach) and ctypes.get_errno() != 22:
            raise DeleteError(f"{point} cannot be unmounted: {os.strerror(ctypes.get_errno())}")
    if left := mounts_below(place):
        raise DeleteError(f"{left[0]} is still mounted")


def remove_cgroups(name: str) -> None:
    """Remove a cgroup and those below it in every hierarchy, as far as they have no processes, and what is empty above.

    Raises DeleteError, which says whose they are.
    """
    from pybernetes.runtime.cgroups.group import Cgroup

    try:
        Cgroup(name).remove()
    except OSError as error:
        again = "end it, or write its number into another cgroup's cgroup.procs; then the same command again"
        raise DeleteError(f"cgroup {error.filename} cannot be removed: {error.strerror}", again) from error
    Cgroup(os.path.dirname(name)).remove_if_empty()


def remove_tree(place: Path) -> None:
    """Remove a directory that holds no mount. `shutil.rmtree` follows no link, also not one put there meanwhile."""
    try:
        shutil.rmtree(place)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DeleteError(f"{error.filename or place} cannot be removed: {error.strerror}") from error


def remove_if_empty(place: Path) -> None:
    try:
        place.rmdir()
    except OSError:
        return
