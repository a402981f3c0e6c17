"""Sockets whose server is made when somebody connects: what is seldom asked costs a descriptor until then."""

from __future__ import annotations

import asyncio
import socket
import sys

BACKLOG = 128
IP_FREEBIND = 15
"""linux/in.h; not in the socket module."""


def listen(address: str, port: int) -> socket.socket:
    """The machine need not have the address yet. Raises OSError."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            made.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


async def wait_asked(listening: socket.socket) -> None:
    """Until somebody connects: what is seldom asked is made when it is."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listening.fileno(), asked.set)
    try:
        await asked.wait()
    finally:
        loop.remove_reader(listening.fileno())
