"""Who executes bundles: runtime handlers by name."""

import os
import re
import shutil

from pybernetes.cri.errors import InvalidError

_PROGRAMS = ("runc", "crun")
_BUILTIN_KERNEL = (5, 12)
"""The first with mount_setattr, the last call that the builtin launcher cannot do without."""


def choose_program(name: str, oci_runtime: str) -> str:
    """The program's path for the handler `name` (a RuntimeClass's), empty for the builtin launcher.

    An empty name is the node's default, `oci_runtime`: `auto` is the builtin launcher, which starts a container in a
    third of runc's time, or on kernels too old for it runc or crun. Raises InvalidError.
    """
    wanted = name or oci_runtime
    if wanted == "builtin":
        return ""
    if wanted in _PROGRAMS:
        if path := shutil.which(wanted):
            return path
        raise InvalidError(f"{wanted} is not installed on this node")
    if wanted == "auto":
        if kernel_version(os.uname().release) >= _BUILTIN_KERNEL:
            return ""
        return next((path for program in _PROGRAMS if (path := shutil.which(program))), "")
    raise InvalidError(f'no runtime for "{name}" is configured')


def kernel_version(release: str) -> tuple[int, ...]:
    """(6, 18) of "6.18.44-fc"."""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:2])


def available() -> list[str]:
    """The handlers of this node; the first, without a name, is the default."""
    return ["", "builtin", *(program for program in _PROGRAMS if shutil.which(program))]
