"""Blocking HTTP to the API server's own socket, with what the standard library has."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from pathlib import Path


class LocalConnection(HTTPConnection):
    """Connects to a socket of this machine instead of a host, and again when the server has closed the connection."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(self.timeout)
        try:
            made.connect(self._path)
        except OSError:
            made.close()
            raise
        self.sock = made
