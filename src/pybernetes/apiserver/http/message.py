"""A request and the three kinds of answer: a body, a stream, an upgraded connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias
from urllib.parse import parse_qs

from msgspec import Struct, field

BROWSERS: Final = ("curl", "Wget", "Mozilla/5.0")
TRUE: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))
Query: TypeAlias = dict[str, list[str]]


class BodyTooLargeError(Exception):
    """The request's body exceeds the server's limit."""


class DisconnectedError(Exception):
    """The client went away before its request was whole."""


class SlowBodyError(DisconnectedError):
    """The client does not send what it has announced."""


class Body(Protocol):
    """Where a request's body comes from."""

    async def read(self) -> bytes:
        """The whole body; safe to repeat. Raises BodyTooLargeError, DisconnectedError, SlowBodyError."""
        ...


class Headers:
    """A request's headers, names in lower case; requests that say the same share them, so nobody changes them."""

    __slots__ = ("first", "is_read_by_people", "names", "pairs")

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs
        self.first = dict(reversed(pairs))
        """The first value of each."""
        self.names = "".join([f"\n{name}" for name in self.first])
        """All names, each behind a line feed: what begins one can be looked for."""
        self.is_read_by_people = self.first.get("user-agent", "").startswith(BROWSERS)


class Request:
    """One HTTP request. `path` is percent-decoded."""

    __slots__ = ("_headers", "_query", "_source", "is_local", "method", "path", "peer_certificate", "query_string", "raw_path", "remote", "was_read")  # fmt: skip

    def __init__(
        self,
        method: str,
        path: str,
        query_string: str,
        headers: Headers | list[tuple[str, str]],
        source: Body,
    ) -> None:
        self.method = method
        self.path = path
        self.raw_path = path
        self.query_string = query_string
        self._headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.remote = ""
        self.is_local = False
        """It came by the server's own socket, which nobody can open who could not read the cluster's keys."""
        self.peer_certificate: bytes | None = None
        """The client's certificate (DER) of a TLS connection, verified against the client CA; None without one."""
        self.was_read = False
        """Whether anybody has asked for the body."""
        self._source = source
        self._query: Query | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The first value of each header."""
        return self._headers.first

    @property
    def header_list(self) -> list[tuple[str, str]]:
        return self._headers.pairs

    def has_header_of(self, prefix: str) -> bool:
        """Whether there is a header whose name begins so."""
        return f"\n{prefix}" in self._headers.names

    @property
    def is_pretty(self) -> bool:
        """Whether JSON is to be laid out for people: who asks so, or with a browser or a tool for the command line."""
        if "pretty" in self.query_string and (given := self.parameter("pretty")):
            return given in TRUE
        return self._headers.is_read_by_people

    def header_values(self, name: str) -> list[str]:
        """Every value of a header that may be repeated."""
        return [value for key, value in self.header_list if key == name]

    @property
    def query(self) -> Query:
        if self._query is None:
            text = self.query_string
            if ";" in text:  # no separator, and nothing that a pair may hold: as Go has it
                text = "&".join(pair for pair in text.split("&") if ";" not in pair)
            self._query = parse_qs(text, keep_blank_values=True) if text else {}
        return self._query

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default

    async def body(self) -> bytes:
        """The whole body; safe to repeat. Raises BodyTooLargeError, DisconnectedError."""
        self.was_read = True
        return await self._source.read()


class Response(Struct):
    """An answer whose body is there; a list of parts is sent without joining them first."""

    status: int
    body: bytes | list[bytes] = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)


class StreamWriter(Protocol):
    """The body of a streamed answer."""

    def write(self, data: bytes) -> None:
        """Queue data as one chunk; never blocks, does nothing once the client is gone."""
        ...

    def write_framed(self, chunks: bytes) -> None:
        """Queue what `frame` made: data framed once for many receivers."""
        ...

    def buffered(self) -> int:
        """Bytes that are queued and not yet taken by the socket, once they are many: how far behind the client is."""
        ...

    async def drain(self) -> None:
        """Wait until the client has taken most of what is queued."""
        ...

    @property
    def ending(self) -> asyncio.Event:
        """Set when the stream is to end: the server shuts down, the client is gone, or a writer's user says so."""
        ...


def frame(data: bytes) -> bytes:
    """One chunk of the chunked transfer coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class StreamResponse(Struct):
    """An answer written while it is made; ends when `run` returns (cancelled when the client goes away)."""

    status: int
    run: Callable[[StreamWriter], Awaitable[None]]
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)


class Duplex(Protocol):
    """The two byte streams of an upgraded connection."""

    async def read(self) -> bytes:
        """Some bytes as they come; b"" once the client has ended its side or is gone."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None:
        """Send what is queued, then close. Safe to repeat."""
        ...


class UpgradeResponse(Struct):
    """101 Switching Protocols with these headers; then the connection belongs to `run`, and closes when it returns."""

    headers: list[tuple[str, str]]
    run: Callable[[Duplex], Awaitable[None]]
    status: int = 101


Answer: TypeAlias = Response | StreamResponse | UpgradeResponse
