"""An HTTP/1.1 client: connections that are kept for the next request, answers read whole or in parts as they come.

Every component talks to the API server all the time, so that the client is small on purpose: it loads in two
milliseconds (aiohttp takes 0.2 s and 16 MB of every process) and copies nothing that it need not.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

import httptools
from msgspec import Struct

KEEP_SECONDS = 60.0
"""A connection that was idle for longer is not trusted with another request."""

KEEP_CONNECTIONS = 32
"""Idle connections kept to one server: what a burst opened beyond them is closed again."""

HIGH_WATER = 512 << 10
"""Bytes of an answer that may wait for their reader before the sender is held up."""

REPEATABLE = frozenset({"GET", "HEAD"})


class HTTPError(Exception):
    """The exchange broke off: the request may or may not have had its effect."""


class DisconnectedError(HTTPError):
    """The server closed the connection before its answer was complete."""


class ConnectError(HTTPError):
    """Nobody answers there: nothing was sent. The cause is the OSError, if there was one."""


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


class SilentError(HTTPError):
    """The server did not answer in time."""


class Answer:
    """An answer whose head has come. Read it to its end or close it.

    Of one that is read as a `whole` the reader is woken once, at its end, and nobody holds up its sender.
    """

    __slots__ = (
        "_buffered", "_connection", "_ended", "_failure", "_headers", "_parts", "_waiter", "_whole", "fields", "status",
    )  # fmt: skip

    def __init__(self, connection: _Connection, *, whole: bool = False) -> None:
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] | None = None
        self._whole = whole
        self._connection = connection
        self._parts: deque[bytes] = deque()
        self._buffered = 0
        self._ended = False
        self._failure: HTTPError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """By their names in lower case."""
        if self._headers is None:
            self._headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.fields}
        return self._headers

    async def read(self, seconds: float = math.inf) -> bytes:
        """The rest of the body. Raises HTTPError, SilentError if nothing comes for so long."""
        while not self._ended:
            self._connection.resume()
            await self._wait(seconds)
        if self._failure:
            raise self._failure
        return self._take()

    async def part(self, seconds: float = math.inf) -> bytes:
        """What has come of the body, at least a byte; empty at its end. Raises HTTPError, SilentError if nothing comes."""
        while not self._parts:
            if self._failure:
                raise self._failure
            if self._ended:
                return b""
            self._connection.resume()
            await self._wait(seconds)
        return self._take()

    def close(self) -> None:
        """Give up the rest of the answer, and with it the connection. Safe to repeat."""
        if not self._ended:
            self._connection.abort()

    async def wait_head(self) -> None:
        while not self.status and not self._ended:
            await self._wait()
        if not self.status and self._failure:
            raise self._failure

    def feed(self, body: bytes) -> bool:
        """Called by the connection; False if the reader is too far behind."""
        self._parts.append(body)
        if self._whole:
            return True
        self._buffered += len(body)
        self._wake()
        return self._buffered < HIGH_WATER

    def end(self, failure: HTTPError | None = None) -> None:
        """Called by the connection, at the end of the body or when it broke off."""
        if not self._ended:
            self._ended, self._failure = True, failure
            self._wake()

    def begin(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        """Called by the connection, with the head."""
        self.status, self.fields = status, fields
        if not self._whole:
            self._wake()

    def expire(self, seconds: float) -> None:
        """Give up waiting."""
        self.end(SilentError(f"no answer within {seconds:g} s"))
        self._connection.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take(self) -> bytes:
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._buffered = 0
        return body

    async def _wait(self, seconds: float = math.inf) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self.expire, seconds) if seconds < math.inf else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


class _Connection(asyncio.Protocol):
    """One connection with at most one exchange at a time; the callbacks named `on_*` are httptools'."""

    def __init__(self, pool: HTTPClient, origin: Origin) -> None:
        self._pool, self.origin = pool, origin
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self.idle_since = 0.0

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and wait for the head of its answer. Raises HTTPError."""
        assert self._transport is not None
        answer = self._answer = Answer(self)
        self._transport.write(request)
        try:
            await answer.wait_head()
        except BaseException:
            self.abort()
            raise
        return answer

    async def ask(self, request: bytes, seconds: float) -> tuple[Answer, bytes]:
        """Send a request and read its answer to the end. Raises HTTPError, SilentError after so many seconds."""
        assert self._transport is not None
        answer = self._answer = Answer(self, whole=True)
        self._transport.write(request)
        try:
            return answer, await answer.read(seconds)
        finally:
            answer.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            if self._answer is None:
                raise httptools.HttpParserError("an answer that nobody asked for")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(HTTPError(f"malformed HTTP response: {error}"))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        answer = self._answer
        if answer is not None:
            # Without a length the body reaches to the end of the connection.
            lasts = bool(answer.status) and not {"content-length", "transfer-encoding"} & answer.headers.keys()
            self._end(None if lasts and exc is None else DisconnectedError(str(exc or "server disconnected")))
        if not self.closed.done():
            self.closed.set_result(None)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status, fields, self._fields = self._parser.get_status_code(), self._fields, []
        if status >= 200 and self._answer is not None:
            self._answer.begin(status, fields)

    def on_body(self, body: bytes) -> None:
        if self._answer is not None and not self._answer.feed(body) and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._answer is None or not self._answer.status:
            return  # an interim answer
        keep = self._parser.should_keep_alive()
        self.resume()
        self._end()
        if keep:
            self._pool.release(self)
        elif self._transport is not None:
            self._transport.close()

    def _end(self, failure: HTTPError | None = None) -> None:
        if self._answer is not None:
            self._answer.end(failure)
            self._answer = None


class HTTPClient:
    """Requests to any number of servers. Made by `open_client`, which closes its connections."""

    def __init__(self) -> None:
        self._idle: dict[Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()

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

    def _kept(self, origin: Origin) -> _Connection | None:
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

    async def _connect(self, origin: Origin, seconds: float) -> _Connection:
        try:
            async with asyncio.timeout(seconds):
                connection = await self._open_connection(origin)
        except (OSError, TimeoutError) as error:
            raise ConnectError(_said(error)) from error
        self._open.add(connection)
        return connection

    async def _open_connection(self, origin: Origin) -> _Connection:
        loop = asyncio.get_running_loop()
        if origin.socket:
            return (await loop.create_unix_connection(lambda: _Connection(self, origin), origin.socket))[1]
        name = (origin.server_name or origin.host) if origin.tls else None
        _, connection = await loop.create_connection(
            lambda: _Connection(self, origin), origin.host, origin.port, ssl=origin.tls, server_hostname=name
        )
        return connection

    def release(self, connection: _Connection) -> None:
        """Called by a connection whose exchange has ended well."""
        idle = self._idle.setdefault(connection.origin, [])
        if len(idle) >= KEEP_CONNECTIONS:
            connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        idle.append(connection)

    def forget(self, connection: _Connection) -> None:
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


FRAMED: Final = frozenset({"POST", "PUT", "PATCH"})


def _said(error: Exception) -> str:
    """The system's words; asyncio puts numbers and addresses around them."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError | socket.gaierror):
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


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
