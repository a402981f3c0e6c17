"""Plain requests: a route by its pattern, one answer, the end of the connection. Those who ask ask rarely."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from pybernetes.api.errors import StatusError
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.server.access import Access, Refused
from pybernetes.kubelet.server.front import Connection, Head, RequestError

log = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request and the parts of its path that the route has names for."""

    head: Head
    names: dict[str, str] = field(default_factory=dict)

    @property
    def query(self) -> dict[str, str]:
        """Each parameter's first value."""
        return {name: values[0] for name, values in self.head.query.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """A body that is there as a whole, or one that comes bit by bit."""

    body: bytes | AsyncGenerator[bytes, None]
    content_type: str = TEXT
    status: int = 200


Handler = Callable[[Request], Awaitable[Answer]]


def text(body: str, status: int = 200) -> Answer:
    return Answer(body.encode(), status=status)


class Plain:
    """Serves connections with one plain request each. A part of a route in braces takes any one part of a path."""

    def __init__(self, access: Access, routes: dict[str, Handler], open_paths: tuple[str, ...] = ()) -> None:
        """`routes` by method and pattern ("GET /pods/{name}"); `open_paths` are answered to anybody."""
        self._access, self._open = access, open_paths
        self._routes = [(*_parsed(pattern), handler) for pattern, handler in routes.items()]

    async def serve(self, connection: Connection) -> None:
        """One request, answered whatever happens."""
        try:
            answer = await self._answer(connection)
        except (Refused, RequestError) as error:
            answer = text(str(error), error.code)
        except StatusError as error:
            answer = text(f"Authorization error: {error.message}", 500)
        except CRIError as error:
            answer = text(str(error), 500)
        except Exception:
            log.exception("request failed target=%s", connection.head.target)
            answer = text("internal server error", 500)
        await _send(connection, answer)

    async def _answer(self, connection: Connection) -> Answer:
        head = connection.head
        path = head.target.partition("?")[0]
        if path not in self._open:
            certificate = connection.writer.get_extra_info("peercert")
            await self._access.check(certificate, head.header("authorization"), head.method, path)
        handler, names = self._find(head)
        return await handler(Request(head, names))

    def _find(self, head: Head) -> tuple[Handler, dict[str, str]]:
        known = False
        for method, parts, handler in self._routes:
            names = _match(parts, head.path)
            if names is not None:
                if head.method in (method, "HEAD" if method == "GET" else method):
                    return handler, names
                known = True
        raise RequestError(405, "405: Method Not Allowed") if known else RequestError(404, "404 page not found")


def _parsed(route: str) -> tuple[str, list[str]]:
    method, _, pattern = route.partition(" ")
    return method, [part for part in pattern.split("/") if part]


def _match(parts: list[str], path: list[str]) -> dict[str, str] | None:
    if len(parts) != len(path):
        return None
    pairs = list(zip(parts, path, strict=True))
    if any(part != given for part, given in pairs if not part.startswith("{")):
        return None
    return {part[1:-1]: given for part, given in pairs if part.startswith("{")}


async def _send(connection: Connection, answer: Answer) -> None:
    """Write the answer; one that comes bit by bit ends when the client leaves."""
    head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", f"Content-Type: {answer.content_type}"]
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
