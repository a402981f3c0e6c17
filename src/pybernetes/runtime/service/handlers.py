"""Who executes bundles: runtime handlers by name."""

import shutil

from pybernetes.cri.errors import InvalidError

_PROGRAMS = ("runc", "crun")


def choose_program(name: str, oci_runtime: str) -> str:
    """The program's path for the handler `name` (a RuntimeClass's), empty for the builtin launcher.

    An empty name is the node's default, `oci_runtime`: `auto` is runc or crun where installed. Raises InvalidError.
    """
    wanted = name or oci_runtime
    if wanted == "builtin":
        return ""
    if wanted in _PROGRAMS:
        if path := shutil.which(wanted):
            return path
        raise InvalidError(f"{wanted} is not installed on this node")
    if wanted == "auto":
        return next((path for program in _PROGRAMS if (path := shutil.which(program))), "")
    raise InvalidError(f'no runtime for "{name}" is configured')


def available() -> list[str]:
    """The handlers of this node; the first, without a name, is the default."""
    return ["", "builtin", *(program for program in _PROGRAMS if shutil.which(program))]
