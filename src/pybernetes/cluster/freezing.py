"""Containers that stand still: they keep their memory and use no CPU, until they go on as if nothing had been."""

from __future__ import annotations

import time
from pathlib import Path

from pybernetes.cluster.control import PAUSED
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.profile import Profile

SECONDS = 10.0
PAUSE = 0.005


class FreezeError(ClusterError):
    """The containers cannot be frozen; they go on."""


def freeze(profile: Profile) -> None:
    """All of the profile's, for who holds its lock. Safe to repeat. Raises FreezeError."""
    (profile.run / PAUSED).touch(mode=0o600)
    try:
        if not profile.settings.simulated:
            _set(profile, frozen=True)
    except (OSError, FreezeError) as error:
        thaw(profile)
        step = f"p8s start --profile {profile.name} brings it back"
        raise FreezeError(f"the containers of {profile.name!r} cannot be frozen: {error}", step) from error


def thaw(profile: Profile) -> None:
    """Let them go on. Safe to repeat, and nothing to do where nothing is frozen."""
    if (profile.run / PAUSED).exists():
        if not profile.settings.simulated:
            _set(profile, frozen=False)
        (profile.run / PAUSED).unlink()


def _set(profile: Profile, *, frozen: bool) -> None:
    """cgroup v1 has a hierarchy for it, v2 a file in each cgroup (cgroup-v1/freezer-subsystem.rst, cgroup-v2.rst)."""
    from pybernetes.runtime.cgroups.group import Cgroup, write

    group = Cgroup(profile.first_node.cgroup)
    if (directory := group.directory("freezer")) is not None:
        file, value, settled = (
            Path(directory, "freezer.state"),
            "FROZEN" if frozen else "THAWED",
            Path(directory, "freezer.state"),
        )
        sign = value
    elif group.unified is not None:
        file, value = Path(group.unified, "cgroup.freeze"), "1" if frozen else "0"
        settled, sign = Path(group.unified, "cgroup.events"), f"frozen {value}"
    else:
        raise FreezeError("this machine has no freezer")
    if not file.exists():
        return
    write(str(file), value)
    deadline = time.monotonic() + SECONDS
    # A v1 state moves on only when it is read.
    while sign not in settled.read_text():
        if time.monotonic() > deadline:
            raise FreezeError(f"{settled} does not come to {sign!r}")
        time.sleep(PAUSE)
