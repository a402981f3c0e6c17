"""Which manifest of an index this machine runs."""

import platform

from pybernetes.wire.images.documents import Descriptor, Platform
from pybernetes.wire.numbers import parse_number

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "riscv64": "riscv64"}
_DEFAULT_VARIANT = {"arm64": "v8", "amd64": "v1", "arm": "v7"}


def this_machine() -> Platform:
    """The platform of the running kernel, in OCI's (Go's) words."""
    machine = platform.machine()
    return Platform(architecture=_ARCHITECTURES.get(machine, machine), os="linux")


def select(manifests: list[Descriptor], want: Platform) -> Descriptor | None:
    """The best manifest for `want`: right system and architecture, then the highest variant that it runs.

    An entry without a platform runs anywhere, but any entry that names the platform is better. None if nothing fits.
    """
    fitting = [(rank, entry) for entry in manifests if (rank := _rank(entry.platform, want)) > 0]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _rank(offered: Platform | None, want: Platform) -> int:
    if offered is None or not offered.os:
        return 1
    if (offered.os, offered.architecture) != (want.os, want.architecture):
        return 0
    default = _DEFAULT_VARIANT.get(want.architecture, "")
    have, wanted = offered.variant or default, want.variant or default
    return 0 if have > wanted else 2 + _number(have)


def _number(variant: str) -> int:
    return parse_number(variant.removeprefix("v")) or 0
