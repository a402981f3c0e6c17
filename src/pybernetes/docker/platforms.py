"""The platform of this machine, as docker calls it; images of others are neither pulled nor built."""

from __future__ import annotations

import os

from pybernetes.docker.errors import DockerError

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


def check(wanted: str) -> None:
    """Raises DockerError for `OS/ARCHITECTURE[/VARIANT]`, or one of both, that is not this machine's; none is."""
    own = ["linux", architecture()]
    parts = wanted.lower().split("/")[:2]
    if wanted and parts != own and not (len(parts) == 1 and parts[0] in own):
        raise DockerError(400, f"no image of platform {wanted} can be used here: this machine is {'/'.join(own)}")
