"""A network of this process's own, without an uplink: what tests send to pod and service addresses cannot leave."""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_isolated = False


def isolate_network() -> None:
    """Move this process, and all that it starts, into a fresh network namespace with nothing but loopback."""
    global _isolated
    if _isolated:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(
            ctypes.get_errno(), "tests that need containers must run as root: " + os.strerror(ctypes.get_errno())
        )
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    _isolated = True
