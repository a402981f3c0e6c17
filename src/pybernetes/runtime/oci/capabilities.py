"""Which capabilities a container gets."""

from pybernetes.cri import types as t
from pybernetes.runtime.launcher.capabilities import NAMES, possible

_DEFAULT = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
AUDIT_WRITE
"""
DEFAULT = tuple(f"CAP_{name}" for name in _DEFAULT.split())


def granted(change: t.Capability | None, privileged: bool) -> list[str]:
    """The default set, changed as asked: `ALL` first, then single names; dropping a name wins over adding it.

    What this machine does not let us have, nobody gets.
    """
    available = possible()
    return [
        name for number, name in enumerate(NAMES) if available >> number & 1 and name in _wanted(change, privileged)
    ]


def _wanted(change: t.Capability | None, privileged: bool) -> set[str]:
    if privileged:
        return set(NAMES)
    if change is None:
        return set(DEFAULT)
    add, drop = _names(change.add_capabilities), _names(change.drop_capabilities)
    have = set(NAMES) if "CAP_ALL" in add else set(DEFAULT)
    if "CAP_ALL" in drop:
        have = set()
    have |= add & set(NAMES)
    return have - drop


def _names(given: list[str]) -> set[str]:
    return {name.upper() if name.upper().startswith("CAP_") else f"CAP_{name.upper()}" for name in given}


def sets(change: t.Capability | None, privileged: bool) -> dict[str, list[str]]:
    """OCI's five sets. None is inheritable, but what is asked to be ambient."""
    names = granted(change, privileged)
    ambient = [name for name in names if change and name in _names(change.add_ambient_capabilities)]
    return {
        "bounding": names,
        "effective": names,
        "permitted": names,
        "inheritable": ambient,
        "ambient": ambient,
    }
