"""`p8s` on a system without what only Linux has: run as a script, it hides those interfaces and then is the command."""

import asyncio
import os
import select
import signal
import socket
import ssl
import sys
import zoneinfo

import cryptography.hazmat.bindings._rust
import uvloop

HIDDEN = {
    os: (
        "pidfd_open",
        "setns",
        "unshare",
        "memfd_create",
        "sched_getaffinity",
        "eventfd",
        "timerfd_create",
        "pipe2",
        "openat2",
    ),
    select: ("epoll",),
    signal: ("pidfd_send_signal", "sigtimedwait"),
    socket: ("AF_NETLINK", "AF_PACKET", "SO_PEERCRED"),
}
FOREIGN = ("pybernetes.runtime", "pybernetes.kubelet", "pybernetes.proxy", "pybernetes.dns")
REGISTRIES = "pybernetes.runtime.images.registry"
"""The part of the runtime that any system can have: a client of registries."""


class NoLinux:
    """Refuses to import what is made for Linux."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.startswith(FOREIGN) and not (name.startswith(REGISTRIES) or REGISTRIES.startswith(f"{name}.")):
            raise ImportError(f"{name} is for Linux")


def hide() -> None:
    assert all((asyncio, ssl, zoneinfo, uvloop, cryptography))  # loaded as the system's own
    for module, names in HIDDEN.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    sys.meta_path.insert(0, NoLinux())  # type: ignore[arg-type]
    sys.platform = "darwin"


if __name__ == "__main__":
    hide()
    from pybernetes.cli.main import main

    sys.exit(main())
