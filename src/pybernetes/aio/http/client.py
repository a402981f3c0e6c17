"""The client: sends requests, and keeps connections for the next ones."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from pybernetes.aio.http.answer import Answer
from pybernetes.aio.http.connection import Connection
from pybernetes.aio.http.errors import ConnectError, HTTPError, SilentError
from pybernetes.aio.http.request import Origin, encode
from pybernetes.aio.trust import SELF_SIGNED, vouch

KEEP_SECONDS: Final = 60.0
"""A connection that was idle for longer is not trusted with another request."""

KEEP_CONNECTIONS: Final = 32
"""Idle connections kept to one server: what a burst opened beyond them is closed again."""

REPEATABLE: Final = frozenset({"GET", "HEAD"})


class HTTPClient:
    """Requests to any number of servers. Made by `open_client`, which closes its connections."""

    def __init__(self) -> None:
        self._idle: dict[Origin, list[Connection]] = {}
        self._open: set[Connection] = set()

    async def send(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | None = None,
        *,
        connect_seconds: float = 10.0,
    ) -> Answer:
        """Send a request; returns with the head of the answer. Raises ConnectError if nothing was sent, else HTTPError.

        A kept connection that the server gave up meanwhile is replaced, unless the request may not be sent twice.
        """
        request = encode(origin, method, target, headers, body)
        while (kept := self._kept(origin)) is not None:
            try:
                return await kept.exchange(request)
            except HTTPError:
                if method not in REPEATABLE:
                    raise
        return await (await self._connect(origin, connect_seconds)).exchange(request)

    async def fetch(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | None = None,
        *,
        seconds: float,
        connect_seconds: float = 10.0,
    ) -> tuple[Answer, bytes]:
        """As `send`, with the whole answer. Raises SilentError too, if the server takes longer than `seconds`."""
        request = encode(origin, method, target, headers, body)
        while (kept := self._kept(origin)) is not None:
            try:
                return await kept.ask(request, seconds)
            except HTTPError as error:
                if method not in REPEATABLE or isinstance(error, SilentError):
                    raise
        return await (await self._connect(origin, connect_seconds)).ask(request, seconds)

    def _kept(self, origin: Origin) -> Connection | None:
        """The connection that was used last, if it is fresh; older ones are closed."""
        idle = self._idle.get(origin)
        if not idle:
            return None
        connection = idle.pop()
        if asyncio.get_running_loop().time() - connection.idle_since < KEEP_SECONDS:
            return connection
        for stale in (connection, *idle):
            stale.abort()
        idle.clear()
        return None

    async def _connect(self, origin: Origin, seconds: float) -> Connection:
        try:
            async with asyncio.timeout(seconds):
                connection = await self._open_connection(origin)
        except (OSError, TimeoutError) as error:
            raise ConnectError(_said(error)) from error
        self._open.add(connection)
        return connection

    async def _open_connection(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        if origin.socket:
            return (await loop.create_unix_connection(lambda: Connection(self, origin), origin.socket))[1]
        if origin.tls is None:
            return (await loop.create_connection(lambda: Connection(self, origin), origin.host, origin.port))[1]
        name = origin.server_name or origin.host
        try:
            return await self._open_tls(origin, origin.tls, name)
        except ssl.SSLCertVerificationError as error:
            if error.verify_code != SELF_SIGNED or not await vouch(origin.tls, origin.host, origin.port, name):
                raise
        return await self._open_tls(origin, origin.tls, name)

    async def _open_tls(self, origin: Origin, context: ssl.SSLContext, name: str) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self, origin), origin.host, origin.port, ssl=context, server_hostname=name
        )
        return connection

    def release(self, connection: Connection) -> None:
        """Called by a connection whose exchange has ended well."""
        idle = self._idle.setdefault(connection.origin, [])
        if len(idle) >= KEEP_CONNECTIONS:
            connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Called by a connection that has ended."""
        self._open.discard(connection)
        idle = self._idle.get(connection.origin, [])
        with contextlib.suppress(ValueError):
            idle.remove(connection)

    async def close(self) -> None:
        """End every connection, and what is under way on them."""
        connections = list(self._open)
        for connection in connections:
            connection.abort()
        for connection in connections:
            await connection.closed


@asynccontextmanager
async def open_client() -> AsyncIterator[HTTPClient]:
    """A client whose connections end with the block."""
    client = HTTPClient()
    try:
        yield client
    finally:
        await asyncio.shield(client.close())


def _said(error: Exception) -> str:
    """The system's words; asyncio puts numbers and addresses around them."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError | socket.gaierror):
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
