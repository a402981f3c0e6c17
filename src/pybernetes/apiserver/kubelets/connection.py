"""One HTTP/1.1 exchange on a connection of its own: enough of a client to pass bytes on, and nothing more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.apiserver.kubelets.kubelets import Endpoint
from pybernetes.wire.dialing import dial_error

HEAD_LIMIT = 64 << 10
CHUNK = 64 << 10
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0


_BREAKS = re.compile(r"[\r\n\0]")
_DIGITS = re.compile(r"[0-9A-Fa-f]{1,16}")


class BackendError(Exception):
    """The other side broke off, or speaks no HTTP/1."""


@contextmanager
def read_through(backend: Connection) -> Iterator[None]:
    """What breaks off within the block closes the connection. Raises StatusError 500 in place of BackendError."""
    try:
        yield
    except BackendError as error:
        backend.close()
        raise errors.internal(f"error reading from backend: {error}") from error
    except BaseException:
        backend.close()
        raise


class Head(Struct, frozen=True):
    """Status and headers of an answer."""

    status: int
    headers: list[tuple[str, str]]

    def header(self, name: str) -> str:
        """The first value of a header (`name` in lower case); empty without one."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class Connection(Struct, frozen=True):
    """The two streams to the other side; whoever holds it closes it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(
        self, method: str, target: str, authority: str, headers: Sequence[tuple[str, str]], body: bytes = b""
    ) -> None:
        """Write a request. Raises BackendError."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        if any(_BREAKS.search(line) for line in lines):
            # A name of a user or a path must never become another header.
            raise BackendError("net/http: invalid header field value")
        try:
            self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body)
            await self.writer.drain()
        except OSError as error:
            raise BackendError(str(error)) from error

    async def read_head(self, seconds: float | None = ANSWER_SECONDS) -> Head:
        """Status and headers of the answer; interim answers are skipped. Raises BackendError."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    head = _parse_head(await self.reader.readuntil(b"\r\n\r\n"))
                    if head.status == 101 or head.status >= 200:
                        return head
        except TimeoutError as error:
            raise BackendError("timeout awaiting response headers") from error
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise BackendError(str(error)) from error

    async def body(self, head: Head) -> AsyncIterator[bytes]:
        """The parts of the answer's body as they come. Raises BackendError if it breaks off."""
        try:
            if head.header("transfer-encoding").lower() == "chunked":
                async for part in self._chunks():
                    yield part
            else:
                async for part in self._plain(head.header("content-length")):
                    yield part
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise BackendError(str(error)) from error

    async def _chunks(self) -> AsyncIterator[bytes]:
        while left := _length((await self.reader.readline()).partition(b";")[0].strip().decode("latin-1"), 16):
            while left:
                part = await self.reader.read(min(left, CHUNK))
                if not part:
                    raise asyncio.IncompleteReadError(b"", left)
                left -= len(part)
                yield part
            await self.reader.readexactly(2)

    async def _plain(self, length: str) -> AsyncIterator[bytes]:
        left = _length(length, 10) if length else None
        while left is None or left:
            part = await self.reader.read(CHUNK if left is None else min(left, CHUNK))
            if not part:
                if left is None:
                    return
                raise asyncio.IncompleteReadError(b"", left)
            left = None if left is None else left - len(part)
            yield part

    async def read_text(self, head: Head, limit: int) -> bytes:
        """The body of a refusal, cut off where it is too long to be one."""
        body = b""
        async for part in self.body(head):
            body += part
            if len(body) >= limit:
                break
        return body[:limit]

    def close(self) -> None:
        self.writer.close()


async def dial(endpoint: Endpoint) -> Connection:
    """Connect. Raises StatusError 500 in upstream's words."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            streams = await asyncio.open_connection(
                endpoint.host,
                endpoint.port,
                ssl=endpoint.tls,
                server_hostname=(endpoint.server_name or endpoint.host) if endpoint.tls else None,
                limit=HEAD_LIMIT,
            )
    except (OSError, TimeoutError) as error:
        cause = dial_error(endpoint.host, endpoint.port, error)
        raise errors.internal(f"error dialing backend: {cause}") from error
    return Connection(*streams)


def _length(text: str, base: int) -> int:
    """A length that the other side tells. Raises ValueError; Python's int takes signs, spaces and underscores."""
    if not _DIGITS.fullmatch(text):
        raise ValueError(f"malformed length {text[:40]!r}")
    return int(text, base)


def _parse_head(raw: bytes) -> Head:
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError(f"malformed HTTP response {first!r}")
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator:
            raise ValueError(f"malformed HTTP header {line!r}")
        headers.append((name.strip(), value.strip()))
    return Head(int(status), headers)
