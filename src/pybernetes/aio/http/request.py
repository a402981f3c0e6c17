"""Where requests go, and their bytes. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

FRAMED: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say how long their body is even if there is none."""


class Origin(Struct, frozen=True):
    """Where requests go; `tls` is the context of https, `server_name` the name that its certificate must have.

    With a `socket` (a path) it is this machine's process that listens there; host and port count for nothing.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    socket: str = ""

    @property
    def authority(self) -> str:
        if self.socket:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def encode(
    origin: Origin, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes | None = None
) -> bytes:
    """The bytes of a request. Raises ValueError for a line break where none may be."""
    lines = [f"{method} {target} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append(f"Host: {origin.authority}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None or method in FRAMED:
        lines.append(f"Content-Length: {len(body or b'')}")
    head = "\r\n".join(lines)
    if head.count("\n") >= len(lines) or head.count("\r") >= len(lines):
        raise ValueError("line break in a request's target or headers")
    return b"%b\r\n\r\n%b" % (head.encode("latin-1"), body or b"")
