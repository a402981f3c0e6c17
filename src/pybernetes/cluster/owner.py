"""Who called p8s, through sudo or not: what is kept for a user belongs to them, and is written as them."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """Who called `p8s`, through sudo or not: the kubeconfig goes to their home and belongs to them."""

    uid: int
    gid: int
    home: Path


def caller() -> Owner:
    uid = int(os.environ.get("SUDO_UID", os.getuid()))
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        # Users of containers often have a number and no entry.
        return Owner(uid, os.getgid(), Path.home() if "HOME" in os.environ else Path("/"))
    home = Path(entry.pw_dir if "SUDO_UID" in os.environ else os.environ.get("HOME", entry.pw_dir))
    return Owner(uid, entry.pw_gid, home)


def user_paths(owner: Owner) -> list[Path]:
    """The kubeconfigs that kubectl puts together: those of $KUBECONFIG, else ~/.kube/config of the caller."""
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [owner.home / ".kube" / "config"]


def user_path(owner: Owner) -> Path:
    """The one that gets what is new, as with kubectl: the first that exists, else the last."""
    paths = user_paths(owner)
    return next((path for path in paths if path.exists()), paths[-1])


@contextmanager
def acting_as(owner: Owner) -> Iterator[None]:
    """File access as the owner: no link that they have put there leads anywhere they could not go themselves.

    For processes without threads, whose identity changes as a whole.
    """
    if os.geteuid() != 0 or owner.uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([owner.gid])
    os.setegid(owner.gid)
    os.seteuid(owner.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
