"""Upgraded connections: the other side is asked first, and only its 101 opens the client's."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from pybernetes.api import errors
from pybernetes.apiserver.http.message import Answer, Duplex, Request, Response, UpgradeResponse
from pybernetes.apiserver.kubelets.headers import forwarded, forwarded_upgrade
from pybernetes.apiserver.kubelets.kubelets import Endpoint

HEAD_LIMIT = 64 << 10
BODY_LIMIT = 1 << 20
CHUNK = 64 << 10
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer."""

    status: int
    headers: list[tuple[str, str]]

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


async def upgrade(request: Request, endpoint: Endpoint, target: str) -> Answer:
    """The answer for the client: 101 and the bytes of both sides, or the other side's refusal as it came.

    `target` is path and query. Raises StatusError if the other side cannot be reached.
    """
    reader, writer = await _dial(endpoint)
    try:
        writer.write(_request(request, endpoint, target))
        await writer.drain()
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await read_head(reader)
            if head.status != 101:
                body = await _read_body(reader, head)
                writer.close()
                return Response(head.status, body, head.header("content-type") or "text/plain; charset=utf-8")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        writer.close()
        raise errors.internal(f"error reading from backend: {error}") from error
    except BaseException:
        writer.close()
        raise

    async def run(client: Duplex) -> None:
        await _pipe(client, reader, writer)

    names = ("connection", "upgrade")
    answered = [(name, value) for name, value in head.headers if name.lower() in names]
    return UpgradeResponse([*answered, *forwarded(head.headers)], run)


async def _dial(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(endpoint.host, endpoint.port, ssl=endpoint.tls, limit=HEAD_LIMIT)
    except (OSError, TimeoutError) as error:
        raise errors.internal(f"error dialing backend: dial tcp {endpoint.authority}: {error}") from error


def _request(request: Request, endpoint: Endpoint, target: str) -> bytes:
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {endpoint.authority}"]
    lines += [f"{name}: {value}" for name, value in forwarded_upgrade(request.header_list)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Status and headers of the next answer. Raises ValueError for what is no HTTP/1 answer."""
    raw = await reader.readuntil(b"\r\n\r\n")
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


async def _read_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    """The body of a refusal, cut off where it is too long to be one."""
    if head.header("transfer-encoding").lower() == "chunked":
        return await _read_chunks(reader)
    length = head.header("content-length")
    wanted = min(int(length), BODY_LIMIT) if length.isdigit() else BODY_LIMIT
    body = b""
    while len(body) < wanted and (part := await reader.read(wanted - len(body))):
        body += part
    return body


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < BODY_LIMIT:
        size = int((await reader.readline()).split(b";")[0], 16)
        if not size:
            break
        body += await reader.readexactly(min(size, BODY_LIMIT))
        await reader.readexactly(2)
    return body


async def _pipe(client: Duplex, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes both ways until the other side ends, or until the client does and the other side has followed."""
    try:
        async with asyncio.TaskGroup() as tasks:
            to_backend = tasks.create_task(_to_backend(client, writer), name="upgrade/to-backend")
            await _to_client(reader, client)
            to_backend.cancel()
    except* OSError:
        pass  # either side has gone away: that is the end of a stream, not an error of this server
    finally:
        client.close()
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()


async def _to_backend(client: Duplex, writer: asyncio.StreamWriter) -> None:
    while data := await client.read():
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


async def _to_client(reader: asyncio.StreamReader, client: Duplex) -> None:
    while data := await reader.read(CHUNK):
        client.write(data)
        await client.drain()
