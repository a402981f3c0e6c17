"""Unix sockets at paths of any length: an address has room for 107 bytes, a node's directories may be deeper."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 107


async def connect(path: Path) -> socket.socket:
    """A connected socket that does not block; the caller closes it. Raises OSError."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        with _address(path) as address:
            await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def listen(path: Path, mode: int = 0o600) -> socket.socket:
    """A listening socket in the place of whatever was there; the caller closes it. Raises OSError."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        with _address(path) as address:
            made.bind(address)
        path.chmod(mode)
        made.listen(128)
    except BaseException:
        made.close()
        raise
    return made


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path, or a shorter one of the same place, by a descriptor of its directory."""
    if sys.platform != "linux" or len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
