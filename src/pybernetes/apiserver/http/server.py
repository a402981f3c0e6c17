"""Listening, TLS, and a graceful end."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pybernetes.aio.tasks import Scope
from pybernetes.apiserver.http.connection import Connection, Handler
from pybernetes.apiserver.http.reader import Heads
from pybernetes.apiserver.http.tls import TLSListener

log = logging.getLogger(__name__)

BACKLOG = 1024
SLICE = 128
"""Connections that are written to before others have their turn."""
IP_FREEBIND = 15
"""Of linux/in.h; not in Python's socket module before 3.13."""


class HTTPServer:
    """Serves one handler on any number of addresses. A request runs in a task of `scope`."""

    def __init__(
        self, handler: Handler, scope: Scope, *, max_body: int, idle_seconds: float = 180.0, body_seconds: float = 60.0
    ) -> None:
        self.handler = handler
        self.scope = scope
        self.max_body = max_body
        self.idle_seconds = idle_seconds
        self.body_seconds = body_seconds
        self.draining = False
        self.heads: Heads = {}
        self._connections: set[Connection] = set()
        self._listeners: list[asyncio.Server | TLSListener] = []
        self._waiting: list[Connection] = []
        self._will_flush = False
        self._may_begin = False
        """Whether the first slice may go before the turn of the loop that was asked for."""
        self._empty = asyncio.Event()
        self._empty.set()

    def joined(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._empty.clear()

    def left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def soon(self, connection: Connection) -> None:
        """Have it flushed at the next turn of the loop; the first slice of many goes while the others are still told."""
        waiting = self._waiting
        waiting.append(connection)
        if not self._will_flush:
            self._will_flush = self._may_begin = True
            asyncio.get_running_loop().call_soon(self._flush)
        elif self._may_begin and len(waiting) == SLICE:
            self._may_begin = False
            self._flush_slice()

    def _flush(self) -> None:
        """Many are served in slices, between which requests have their turn."""
        self._flush_slice()
        self._will_flush, self._may_begin = bool(self._waiting), False
        if self._will_flush:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush_slice(self) -> None:
        turn, self._waiting = self._waiting[:SLICE], self._waiting[SLICE:]
        for connection in turn:
            connection.flush()

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Accept connections on an address; the port it got (`port` may be 0).

        The address need not be there yet: a node's comes with its bridge.
        """
        bound = _bind(host, port)
        taken: int = bound.getsockname()[1]
        if tls is not None:
            self._listeners.append(TLSListener(bound, tls, lambda: Connection(self), BACKLOG))
        else:
            loop = asyncio.get_running_loop()
            self._listeners.append(await loop.create_server(lambda: Connection(self), sock=bound, backlog=BACKLOG))
        return taken

    async def listen_locally(self, path: str) -> None:
        """Accept connections on a socket that only this process's user can open. One that was left there is replaced."""
        Path(path).unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            made.bind(path)
            Path(path).chmod(0o600)
        except OSError:
            made.close()
            raise
        loop = asyncio.get_running_loop()
        listener = await loop.create_unix_server(lambda: Connection(self, is_local=True), sock=made, backlog=BACKLOG)
        self._listeners.append(listener)

    async def close(self, grace_seconds: float = 10.0) -> None:
        """Accept no more, let requests in hand end (streams are told to), then cut what is left."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        for connection in list(self._connections):
            connection.drain_and_close()
        try:
            await asyncio.wait_for(self._empty.wait(), grace_seconds)
        except TimeoutError:
            log.warning("connections cut count=%d", len(self._connections))
            for connection in list(self._connections):
                connection.abort()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


@asynccontextmanager
async def serving(server: HTTPServer) -> AsyncIterator[HTTPServer]:
    """Close the server when the block ends."""
    try:
        yield server
    finally:
        await asyncio.shield(server.close())
