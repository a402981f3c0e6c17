"""Capabilities by name and number (capabilities(7))."""

import errno

from pybernetes.runtime import syscalls as sys

_NAMES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
NAMES = tuple(f"CAP_{name}" for name in _NAMES.split())
_NUMBERS = {name: number for number, name in enumerate(NAMES)}
_AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 2, 4


def _mask(names: list[str], possible: int) -> int:
    return sum(1 << _NUMBERS[name] for name in set(names) if name in _NUMBERS) & possible


def possible() -> int:
    """What this process may still have: its bounding set."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("CapBnd:"))
    return int(line.split()[1], 16)


def drop_bounding(names: list[str], have: int) -> None:
    """Give up for ever what is not in `names`."""
    keep = _mask(names, have)
    for number in range(len(NAMES)):
        if have >> number & 1 and not keep >> number & 1:
            sys.prctl(sys.PR_CAPBSET_DROP, number)


def set_capabilities(sets: dict[str, list[str]], have: int) -> None:
    """Effective, permitted, inheritable and ambient sets; what the host lacks is left out."""
    masks = {kind: _mask(sets.get(kind, []), have) for kind in ("effective", "permitted", "inheritable", "ambient")}
    sys.capset(masks["effective"], masks["permitted"], masks["inheritable"])
    try:
        sys.prctl(sys.PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    for number in range(len(NAMES)):
        if masks["ambient"] >> number & 1:
            sys.prctl(sys.PR_CAP_AMBIENT, _AMBIENT_RAISE, number)
