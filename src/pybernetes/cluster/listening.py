"""Sockets that the supervisor holds for components which nobody may need: the first connection starts them."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

_BACKLOG = 128
_IP_FREEBIND = 15  # linux/in.h; not in the socket module


@dataclass(slots=True, eq=False)
class Listener:
    """An address to hold: the path of a unix socket (0600, of `owner` if it is not root's), or host and port.

    Host addresses need not be there yet. The component finds the socket in `bound` after the fork.
    """

    address: Path | tuple[str, int]
    owner: int = 0
    bound: socket.socket | None = field(default=None, init=False)

    def open(self) -> socket.socket:
        """Listen. Raises OSError if the address is taken."""
        if isinstance(self.address, Path):
            self.bound = _listen_at(self.address, self.owner)
        else:
            self.bound = _listen_on(self.address)
        return self.bound

    def close(self) -> None:
        """Nobody listens any more; nothing happens if nobody did."""
        if self.bound is not None:
            self.bound.close()
            self.bound = None
            if isinstance(self.address, Path):
                self.address.unlink(missing_ok=True)

    def __str__(self) -> str:
        return str(self.address) if isinstance(self.address, Path) else "{}:{}".format(*self.address)


def _listen_at(path: Path, owner: int) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        if owner:
            os.chown(path, owner, -1)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_on(address: tuple[str, int]) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
