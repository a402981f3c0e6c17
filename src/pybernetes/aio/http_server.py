"""An HTTP/1.1 server for what is asked rarely: one request to a connection, its answer, the end.

Health, metrics, logs: where many ask all the time (the API server) stands a server of another kind. A request that
changes protocols is left to its handler, which has the streams.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct, field

from pybernetes.aio.tasks import Scope, open_scope

log = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024
CHUNK = 64 * 1024
TEXT = "text/plain; charset=utf-8"


class RequestError(Exception):
    """A request that cannot be served, with the status and text of the answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Head(Struct, frozen=True):
    """The head of a request, as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def path(self) -> list[str]:
        """Unescaped segments of the path."""
        return [unquote(part) for part in urlsplit(self.target).path.split("/") if part]

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def header(self, name: str) -> str:
        return next((value for known, value in self.headers if known.lower() == name), "")

    @property
    def is_upgrade(self) -> bool:
        return "upgrade" in self.header("connection").lower() and bool(self.header("upgrade"))


class Connection(Struct, frozen=True):
    """A connection whose head has been read."""

    head: Head
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


def parse_head(data: bytes) -> Head:
    """Raises ValueError for what is no HTTP/1 request."""
    first, *lines = data.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"unsupported protocol {version}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip(), value.strip()))
    return Head(method, target, headers)


class Request(Struct, frozen=True):
    """A request and the parts of its path that the route has names for."""

    head: Head
    names: dict[str, str] = field(default_factory=dict)

    @property
    def query(self) -> dict[str, str]:
        """Each parameter's first value."""
        return {name: values[0] for name, values in self.head.query.items()}


class Answer(Struct, frozen=True):
    """A body that is there as a whole, or one that comes bit by bit."""

    body: bytes | AsyncGenerator[bytes, None]
    content_type: str = TEXT
    status: int = 200
    location: str = ""
    """Where a redirect leads."""


Handler = Callable[[Request], Awaitable[Answer]]


def text(body: str, status: int = 200) -> Answer:
    return Answer(body.encode(), status=status)


class Front(asyncio.Protocol):
    """Waits for the head, then hands the connection to `handle`, as a task of `scope`; closes it afterwards."""

    def __init__(self, handle: Callable[[Connection], Awaitable[None]], scope: Scope) -> None:
        self._handle, self._scope = handle, scope
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            if len(self._data) > MAX_HEAD:
                transport.close()
            return
        try:
            parsed = parse_head(head)
        except ValueError:
            transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            transport.close()
            return
        self._hand_over(transport, parsed, rest)

    def _hand_over(self, transport: asyncio.Transport, head: Head, rest: bytes) -> None:
        reader = asyncio.StreamReader(limit=MAX_HEAD)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if rest:
            reader.feed_data(rest)
        writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
        self._scope.spawn(self._run(Connection(head, reader, writer)), "connection")

    async def _run(self, connection: Connection) -> None:
        try:
            await self._handle(connection)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            log.debug("stream ended target=%s error=%s", connection.head.target, error)
        finally:
            connection.writer.close()


class Routes:
    """Handlers by method and pattern ("GET /pods/{name}"); a part in braces takes any one part of a path.

    `{name...}` at the end takes all that is left, nothing too.
    """

    def __init__(self, routes: Mapping[str, Handler]) -> None:
        self._routes = [(*_parsed(pattern), handler) for pattern, handler in routes.items()]

    async def answer(self, head: Head) -> Answer:
        """Raises RequestError if nothing has this path, and what the handler raises."""
        known = False
        for method, parts, handler in self._routes:
            names = _match(parts, head.path)
            if names is not None:
                if head.method in (method, "HEAD" if method == "GET" else method):
                    return await handler(Request(head, names))
                known = True
        raise RequestError(405, "405: Method Not Allowed") if known else RequestError(404, "404 page not found")


async def respond(connection: Connection, answering: Awaitable[Answer]) -> None:
    """Send what `answering` comes to, or its failure."""
    try:
        answer = await answering
    except RequestError as error:
        answer = text(str(error), error.code)
    except Exception:
        log.exception("request failed target=%s", connection.head.target)
        answer = text("internal server error", 500)
    await send(connection, answer)


@asynccontextmanager
async def serving(routes: Routes, *addresses: str) -> AsyncIterator[list[int]]:
    """Answer on each `host:port` that is not empty, without TLS; yields the ports. Raises OSError, ValueError."""

    async def handle(connection: Connection) -> None:
        await respond(connection, routes.answer(connection.head))

    loop, servers = asyncio.get_running_loop(), list[asyncio.Server]()
    async with open_scope("http") as scope:
        try:
            for address in filter(None, addresses):
                host, _, port = address.rpartition(":")
                servers.append(await loop.create_server(lambda: Front(handle, scope), host.strip("[]"), int(port)))
            yield [server.sockets[0].getsockname()[1] for server in servers]
        finally:
            for server in servers:
                server.close()


def _parsed(route: str) -> tuple[str, list[str]]:
    method, _, pattern = route.partition(" ")
    return method, [part for part in pattern.split("/") if part]


def _match(parts: list[str], path: list[str]) -> dict[str, str] | None:
    if parts and parts[-1].endswith("...}"):
        *parts, rest = parts
        names = _match(parts, path[: len(parts)])
        return None if names is None else {**names, rest[1:-4]: "/".join(path[len(parts) :])}
    if len(parts) != len(path):
        return None
    pairs = list(zip(parts, path, strict=True))
    if any(part != given for part, given in pairs if not part.startswith("{")):
        return None
    return {part[1:-1]: given for part, given in pairs if part.startswith("{")}


async def send(connection: Connection, answer: Answer) -> None:
    """Write the answer; one that comes bit by bit ends when the client leaves."""
    head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", f"Content-Type: {answer.content_type}"]
    if answer.location:
        head.append(f"Location: {answer.location}")
    has_body = connection.head.method != "HEAD"
    if isinstance(answer.body, bytes):
        body = answer.body if has_body else b""
        connection.writer.write(_head(head, f"Content-Length: {len(answer.body)}") + body)
        await connection.writer.drain()
        return
    connection.writer.write(_head(head, "Transfer-Encoding: chunked"))
    async with aclosing(answer.body) as pieces:
        if has_body:
            await _until_left(connection.reader, _stream(connection.writer, pieces))


def _head(lines: list[str], framing: str) -> bytes:
    return "\r\n".join([*lines, framing, "Connection: close", "\r\n"]).encode()


async def _stream(writer: asyncio.StreamWriter, pieces: AsyncGenerator[bytes, None]) -> None:
    with suppress(ConnectionError):
        async for piece in pieces:
            if piece:
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _until_left(reader: asyncio.StreamReader, work: Coroutine[None, None, None]) -> None:
    """`work`, given up when the client closes its side."""
    async with asyncio.TaskGroup() as group:
        working, leaving = group.create_task(work), group.create_task(_wait_left(reader))
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        leaving.cancel()


async def _wait_left(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(CHUNK):
            pass
