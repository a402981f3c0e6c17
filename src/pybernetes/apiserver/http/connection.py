"""One client connection: one request at a time is handled, answers are framed.

A request that was begun is finished even when its client goes away, since its write may be half way; only streams and
upgraded connections are cancelled then.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias

from pybernetes.aio.tasks import Scope
from pybernetes.apiserver.http.head import LAST_CHUNK, head
from pybernetes.apiserver.http.incoming import Incoming, Whole
from pybernetes.apiserver.http.message import (
    Answer,
    Request,
    Response,
    StreamResponse,
    UpgradeResponse,
    frame,
)
from pybernetes.apiserver.http.reader import Heads, Reader
from pybernetes.apiserver.http.request_head import Head
from pybernetes.apiserver.http.request_line import RequestLine

Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]

SKIPPED: Final = 256 << 10
"""Of a body that nobody reads: so much is waited for, that the connection can be used again."""
HIGH_WATER: Final = 1 << 20
HELD_LIMIT: Final = 64 << 10
"""Bytes of next requests that wait for the answer to this one before the client has to."""
PIECE: Final = 64 << 10
UNREAD_LIMIT: Final = 32
"""Pieces of an upgraded connection that wait to be read before the client has to."""


class Owner(Protocol):
    """What a connection needs of its server."""

    handler: Handler
    scope: Scope
    max_body: int
    idle_seconds: float
    body_seconds: float
    draining: bool
    heads: Heads

    def joined(self, connection: Connection) -> None: ...

    def left(self, connection: Connection) -> None: ...

    def soon(self, connection: Connection) -> None:
        """Have `flush` called at the next turn of the loop, or at once."""
        ...


class Connection(asyncio.Protocol):
    """See the module. Also the StreamWriter of a streamed answer and the Duplex of an upgraded connection."""

    def __init__(self, owner: Owner, *, is_local: bool = False) -> None:
        self._owner = owner
        self._is_local = is_local
        self._reader = Reader(self, owner.heads, self._new_incoming, owner.max_body)
        self._transport: asyncio.Transport | None = None
        self._next: tuple[Request, Head, Incoming | Whole] | None = None
        self._is_old = False
        """Whether the client of the request in hand speaks HTTP/1.0, which knows no chunks."""
        self._task: asyncio.Task[None] | None = None
        self._streaming = False
        self._upgraded: asyncio.Queue[bytes] | None = None
        self._paused = False
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._closed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._congested = False
        self._remote = ""
        self._certificate: bytes | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._idle: asyncio.Future[None] | None = None

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports do not inherit asyncio's
        transport.set_write_buffer_limits(high=HIGH_WATER)  # type: ignore[attr-defined]
        peer = transport.get_extra_info("peername")
        self._remote = peer[0] if isinstance(peer, tuple) else ""
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._certificate = tls.getpeercert(binary_form=True)
        self._owner.joined(self)
        self._idle_since = asyncio.get_running_loop().time()
        self._check_idle()

    def connection_lost(self, error: Exception | None) -> None:
        self._closed.set()
        self._writable.set()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        self._reader.lose()
        if self._upgraded is not None:
            self._upgraded.put_nowait(b"")
        elif self._streaming and self._task is not None:
            self._task.cancel()
        self._transport = None
        self._owner.left(self)

    def eof_received(self) -> bool:
        if self._upgraded is not None:
            self._upgraded.put_nowait(b"")
            # TLS knows no half-closed connection: asyncio closes it whatever is returned, and warns.
            return self._transport is not None and self._transport.get_extra_info("sslcontext") is None
        return False

    def pause_writing(self) -> None:
        self._congested = True
        self._writable.clear()

    def resume_writing(self) -> None:
        self._congested = False
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._upgraded is not None:
            self._upgraded.put_nowait(data)
            if self._upgraded.qsize() >= UNREAD_LIMIT:
                self._pause()
            return
        self._reader.read(data)
        if self._reader.held > HELD_LIMIT:
            self._pause()

    def _pause(self) -> None:
        """Let the client wait: what it has sent is not wanted yet."""
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def refuse(self, words: bytes) -> None:
        """Say this and hang up."""
        self.send(words)
        self.close()

    def take(self, line: RequestLine, head: Head, body: Incoming | Whole) -> None:
        """A request has come, but perhaps for its body."""
        request = Request(line.method, line.path, line.query, head.headers, body)
        request.raw_path = line.raw_path
        request.remote = self._remote
        request.is_local = self._is_local
        request.peer_certificate = self._certificate
        self._next = request, head, body
        if self._task is None:
            self._task = self._owner.scope.spawn(self._serve(), "connection")
        elif self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _new_incoming(self) -> Incoming:
        return Incoming(self.send, self._owner.max_body, self._owner.body_seconds)

    # Handling.

    async def _serve(self) -> None:
        """Handle one request after the other for as long as the connection lives; it ends with a handler that fails."""
        loop = asyncio.get_running_loop()
        try:
            while self._transport is not None:
                if self._next is None:
                    self._idle = loop.create_future()
                    self._idle_since = loop.time()
                    await self._idle
                    self._idle = None
                    continue
                (request, head, body), self._next = self._next, None
                self._is_old = head.is_old
                answer = await self._owner.handler(request)
                if not await self._answer(request, head, body, answer):
                    return
                self._resume()
                self._reader.go_on()
        finally:
            self.close()

    async def _answer(self, request: Request, head: Head, body: Incoming | Whole, answer: Answer) -> bool:
        """Send the answer; whether the connection can take another request."""
        if isinstance(answer, UpgradeResponse):
            await self._run_upgraded(answer)
            return False
        if body.unread and not head.expects and 0 <= head.length <= SKIPPED:
            await body.skip()
        # What a refused upgrade is followed by may be of another protocol (CVE-2018-1002105).
        again = head.keep_alive and not head.upgrade and not body.unread and not self._owner.draining
        again = again and (not self._is_old or isinstance(answer, Response))
        headers = answer.headers
        if again is self._is_old:  # what a version does anyway is not said
            headers = [*headers, ("connection", "keep-alive" if again else "close")]
        if isinstance(answer, Response):
            self._send_response(request, answer, headers)
        else:
            await self._run_stream(answer, headers)
        return again and not self._owner.draining

    def _send_response(self, request: Request, answer: Response, headers: list[tuple[str, str]]) -> None:
        body = answer.body
        if isinstance(body, bytes):
            start = head(answer.status, answer.content_type, headers, len(body), self._version)
            self.send(start if request.method == "HEAD" else start + body)
            return
        self.send(head(answer.status, answer.content_type, headers, sum(map(len, body)), self._version))
        if request.method != "HEAD":
            for part in body:
                self._send_pieces(part)

    def _send_pieces(self, part: bytes) -> None:
        """Send a long body so that each piece is still in the processor's cache when TLS and the kernel copy it."""
        if len(part) <= PIECE:
            self.send(part)
            return
        view = memoryview(part)
        for start in range(0, len(part), PIECE):
            self.send(view[start : start + PIECE])

    @property
    def _version(self) -> str:
        """Of HTTP, which the client speaks."""
        return "1.0" if self._is_old else "1.1"

    async def _run_stream(self, answer: StreamResponse, headers: list[tuple[str, str]]) -> None:
        length = -2 if self._is_old else -1
        self.send(head(answer.status, answer.content_type, headers, length, self._version))
        self._streaming = True
        if self._transport is not None and not self._owner.draining:
            self._closed = asyncio.Event()  # the stream before may have been ended by its user
        try:
            await answer.run(self)
        finally:
            self._streaming = False
        if not self._is_old:
            self.send(LAST_CHUNK)

    async def _run_upgraded(self, answer: UpgradeResponse) -> None:
        self._upgraded = asyncio.Queue()
        if rest := self._reader.rest():
            self._upgraded.put_nowait(rest)
        self._resume()
        self.send(head(answer.status, "", answer.headers, -2))
        await answer.run(self)

    def _check_idle(self) -> None:
        """Close what has been waiting for a request, or for the rest of its head, for too long."""
        loop = asyncio.get_running_loop()
        waits = self._task is None or self._idle is not None
        left = self._idle_since + self._owner.idle_seconds - loop.time() if waits else self._owner.idle_seconds
        if left <= 0:
            self.close()
        else:
            self._idle_timer = loop.call_later(left, self._check_idle)

    def send(self, data: bytes | memoryview) -> None:
        if self._waiting:
            self.flush()
        if self._transport is not None:
            self._transport.write(data)

    def flush(self) -> None:
        """What is told at one turn of the loop goes out together: one record of TLS, one call of the kernel."""
        waiting = self._waiting
        if waiting:
            data = waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting.clear()
            self._waiting_bytes = 0
            if self._transport is not None:
                self._transport.write(data)

    # StreamWriter and Duplex.

    def write(self, data: bytes) -> None:
        if not data:
            return  # an empty chunk would end the body
        if self._streaming and not self._is_old:
            data = frame(data)
        self.send(data)

    def write_framed(self, chunks: bytes) -> None:
        if self._is_old:
            chunks = chunks[chunks.index(b"\r\n") + 2 : -2]
        waiting = self._waiting
        waiting.append(chunks)
        self._waiting_bytes += len(chunks)
        if len(waiting) == 1:
            self._owner.soon(self)

    def buffered(self) -> int:
        if not self._congested or self._transport is None:
            return self._waiting_bytes
        return self._transport.get_write_buffer_size() + self._waiting_bytes

    async def drain(self) -> None:
        await self._writable.wait()

    @property
    def ending(self) -> asyncio.Event:
        return self._closed

    async def read(self) -> bytes:
        assert self._upgraded is not None
        if self._transport is None and self._upgraded.empty():
            return b""
        data = await self._upgraded.get()
        if self._upgraded.qsize() < UNREAD_LIMIT // 2:
            self._resume()
        return data

    def close(self) -> None:
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def drain_and_close(self) -> None:
        """The server stops: idle connections close now, streams are told, a request in hand ends first."""
        if self._task is None or self._idle is not None:
            self.close()
        else:
            self._closed.set()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
