"""Upgraded connections: the other side is asked first, and only its 101 opens the client's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from pybernetes.apiserver.http.message import Answer, Duplex, Request, Response, UpgradeResponse
from pybernetes.apiserver.kubelets.connection import CHUNK, Connection, dial, read_through
from pybernetes.apiserver.kubelets.headers import forwarded, forwarded_upgrade
from pybernetes.apiserver.kubelets.kubelets import Endpoint

REFUSAL_LIMIT = 1 << 20


async def upgrade(request: Request, endpoint: Endpoint, target: str, more: Sequence[tuple[str, str]] = ()) -> Answer:
    """The answer for the client: 101 and the bytes of both sides, or the other side's refusal as it came.

    `target` is path and query, `more` are headers to add. Raises StatusError if the other side cannot be reached. After a refusal nothing is left
    of the connection that the client could use (CVE-2018-1002105).
    """
    backend = await dial(endpoint)
    with read_through(backend):
        await backend.send(request.method, target, endpoint.authority, [*forwarded_upgrade(request.header_list), *more])
        head = await backend.read_head()
        if head.status != 101:
            body = await backend.read_text(head, REFUSAL_LIMIT)
            backend.close()
            return Response(head.status, body, head.header("content-type") or "text/plain; charset=utf-8")

    async def run(client: Duplex) -> None:
        await _pipe(client, backend)

    answered = [(name, value) for name, value in head.headers if name.lower() in ("connection", "upgrade")]
    return UpgradeResponse([*answered, *forwarded(head.headers)], run)


async def _pipe(client: Duplex, backend: Connection) -> None:
    """Pass bytes both ways until the other side ends; the client's end is passed on to it."""
    try:
        async with asyncio.TaskGroup() as tasks:
            to_backend = tasks.create_task(_to_backend(client, backend), name="upgrade/to-backend")
            await _to_client(backend, client)
            to_backend.cancel()
    except* OSError:
        pass  # either side has gone away: the end of a stream, not an error of this server
    finally:
        client.close()
        backend.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await backend.writer.wait_closed()


async def _to_backend(client: Duplex, backend: Connection) -> None:
    while data := await client.read():
        backend.writer.write(data)
        await backend.writer.drain()
    if backend.writer.can_write_eof():
        backend.writer.write_eof()
    else:
        backend.close()


async def _to_client(backend: Connection, client: Duplex) -> None:
    while data := await backend.reader.read(CHUNK):
        client.write(data)
        await client.drain()
