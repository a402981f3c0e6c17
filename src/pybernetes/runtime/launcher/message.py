"""JSON messages with descriptors over SOCK_SEQPACKET: one send is one message."""

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

_LIMIT = 1 << 20
_FDS = 16


def send(channel: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    socket.send_fds(channel, [json.dumps(message).encode()], list(fds))


def receive(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message and its descriptors (close-on-exec); None when the other side is gone."""
    try:
        data, fds, _, _ = socket.recv_fds(channel, _LIMIT, _FDS, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None, []
    return (json.loads(data) if data else None), fds


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends, with buffers large enough for any request."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LIMIT)
    return ours, theirs


def close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
