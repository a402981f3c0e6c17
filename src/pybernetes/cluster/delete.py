"""p8s delete: whatever a profile made on this machine is taken away, and nothing that was there before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

from pybernetes.cluster import kubeconfig, lifecycle, locks
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.profile import Profile

GRACE_SECONDS = 2.0
CGROUPS = Path("/sys/fs/cgroup")


class DeleteError(ClusterError):
    """Something could not be taken away; the message names it. Safe to try again."""


def delete(profile: Profile) -> None:
    """End and remove everything of the profile on this machine; what it keeps in an etcd stays there.

    Safe to repeat, also after a deletion that was cut off. A kubeconfig that cannot be changed is left as it is.
    """
    with locks.of_profile(profile.name):
        remove(profile)


def remove(profile: Profile) -> None:
    """`delete`, for who holds the profile's lock."""
    lifecycle.end(profile, GRACE_SECONDS)
    if not profile.settings.simulated:
        remove_nodes(profile)
    with contextlib.suppress(kubeconfig.KubeconfigError):
        kubeconfig.remove_from_users(profile, kubeconfig.caller())
    for place in (profile.run, profile.state):
        remove_tree(place)
        remove_if_empty(place.parent)


def remove_nodes(profile: Profile) -> None:
    """What real nodes leave in the kernel."""
    from pybernetes.cluster import network
    from pybernetes.cluster.processes import agent, runtime
    from pybernetes.proxy import main as proxy

    if profile.exists():
        asyncio.run(runtime.remove_everything(profile))
    for place in (profile.state, profile.run):
        unmount_below(place)
    proxy.cleanup(agent.proxy_options(profile))
    network.remove(profile)
    remove_cgroups(runtime.cgroup(profile).strip("/"))


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


def remove_cgroups(name: str, root: Path = CGROUPS) -> None:
    """Remove a cgroup and those below it in every hierarchy; processes in them have ended before."""
    for hierarchy in [root, *(path for path in root.glob("*") if path.is_dir() and not path.is_symlink())]:
        top = hierarchy / name
        if top.is_dir():
            for directory, _, _ in os.walk(top, topdown=False):
                os.rmdir(directory)
            remove_if_empty(top.parent) if top.parent != hierarchy else None


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
