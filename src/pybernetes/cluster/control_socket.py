"""The supervisor's end of the socket at which `control.py` asks: a JSON object in a line, answered by one."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

log = logging.getLogger(__name__)

Answer: TypeAlias = Callable[[dict[str, Any], socket.socket], dict[str, Any]]
"""What to say to a request; the socket is that of those who asked, and who may hang up meanwhile."""
SECONDS = 5.0
"""How long a request, or who takes its answer, may take."""
REQUEST_LIMIT = 65536


class ControlSocket:
    """Listens at `path`, for its owner only (0600)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        path.chmod(0o600)
        self.listener.listen()

    def serve(self, answer: Answer) -> None:
        """Take one request. What is wrong with it is logged."""
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(SECONDS)
            try:
                request = json.loads(connection.makefile("rb").readline(REQUEST_LIMIT))
                connection.sendall(json.dumps(answer(request, connection)).encode() + b"\n")
            except (OSError, ValueError) as error:
                log.warning("control request failed error=%s", error)

    def remove(self) -> None:
        """Who finds no socket knows that this process is about to end. Safe to repeat."""
        self._path.unlink(missing_ok=True)
