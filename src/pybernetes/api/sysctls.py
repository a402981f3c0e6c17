"""Kernel settings of a pod: how their names are written, and which namespace has its own. Pure."""

from __future__ import annotations

_OF_IPC = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_SWAPPED = str.maketrans("./", "/.")


def normal(name: str) -> str:
    """With dots between its parts, as `kernel/shm_rmid_forced` has not."""
    first = next((char for char in name if char in "./"), ".")
    return name if first == "." else name.translate(_SWAPPED)


def namespace_of(name: str) -> str:
    """ "IPC", "Net", or "" for a setting that the whole machine shares; `name` is a normal one, or the start of it."""
    if name.startswith("net."):
        return "Net"
    return "IPC" if name.startswith(_OF_IPC) else ""
