"""The socket of docker's API, and who may use it.

Who may speak to it can change any image that the cluster's pods run, which is as much as root: so it belongs to the one
user who started the cluster and has its admin kubeconfig anyway, to root if that was root, and to no group.
"""

from __future__ import annotations

from pathlib import Path

from pybernetes.cluster.kubeconfig import caller
from pybernetes.cluster.listening import Listener
from pybernetes.cluster.profile import RUN, Profile


def socket(name: str) -> Path:
    """Of the profile of this name."""
    return RUN / name / "docker.sock"


def listeners(profile: Profile) -> tuple[Listener, ...]:
    """Its owner gets through the directories on the way, and can list none of them."""
    owner = caller().uid
    path = profile.run / "docker.sock"
    if owner:
        for directory in (path.parent.parent, path.parent):
            directory.chmod(0o711)
    return (Listener(path, owner),)
