"""The first look at a connection: its head tells whether the request changes protocols or is a plain one.

Each connection carries one request, since those who ask the kubelet ask rarely.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

from pybernetes.aio.tasks import Scope

log = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024


class RequestError(Exception):
    """A request that cannot be served, with the status and text of the answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Head:
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


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection whose head has been read."""

    head: Head
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


Handler = Callable[[Connection], Awaitable[None]]


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


class Front(asyncio.Protocol):
    """Waits for the first head, then hands the connection on."""

    def __init__(self, plain: Handler, upgraded: Handler, scope: Scope) -> None:
        self._plain, self._upgraded, self._scope = plain, upgraded, scope
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
            await (self._upgraded if connection.head.is_upgrade else self._plain)(connection)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            log.debug("stream ended target=%s error=%s", connection.head.target, error)
        finally:
            connection.writer.close()
