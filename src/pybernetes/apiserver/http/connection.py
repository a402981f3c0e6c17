"""One client connection: httptools parses, one request at a time is handled, answers are framed.

A request that was begun is finished even when its client goes away, since its write may be half way; only streams and
upgraded connections are cancelled then.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final, Protocol, TypeAlias
from urllib.parse import unquote

import httptools

from pybernetes.aio.tasks import Scope
from pybernetes.apiserver.http.head import CONTINUE, LAST_CHUNK, head
from pybernetes.apiserver.http.message import (
    Answer,
    BodyTooLargeError,
    DisconnectedError,
    Request,
    Response,
    SlowBodyError,
    StreamResponse,
    UpgradeResponse,
    frame,
)

Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]

MAX_HEADER_BYTES: Final = 1 << 20
HIGH_WATER: Final = 1 << 20
PIPELINE_LIMIT: Final = 16
LONG_NAME: Final = 128
"""Of headers: these are not remembered."""
PIECE: Final = 64 << 10
UNREAD_LIMIT: Final = 32
"""Pieces of an upgraded connection that wait to be read before the client has to."""


@lru_cache(maxsize=512)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


class Owner(Protocol):
    """What a connection needs of its server."""

    handler: Handler
    scope: Scope
    max_body: int
    idle_seconds: float
    body_seconds: float
    draining: bool

    def joined(self, connection: Connection) -> None: ...

    def left(self, connection: Connection) -> None: ...

    def soon(self, connection: Connection) -> None:
        """Have `flush` called at the next turn of the loop."""
        ...


class _Incoming:
    """A request while it arrives; the source of its body."""

    __slots__ = ("_chunks", "_complete", "_limit", "_seconds", "_size", "_waiter", "connection", "expects", "headers", "keep_alive", "lost", "target", "upgrade")  # fmt: skip

    def __init__(self, connection: Connection, limit: int, seconds: float) -> None:
        self.connection = connection
        self._seconds = seconds
        self.target = b""
        self.headers: list[tuple[str, str]] = []
        self.keep_alive = True
        self.upgrade = False
        self.expects = False
        self.lost = False
        self._chunks: list[bytes] = []
        self._size = 0
        self._limit = limit
        self._complete = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._chunks.append(data)
        else:
            self._chunks.clear()
            self._wake()

    def finish(self) -> None:
        self._complete = True
        self._wake()

    def lose(self) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def unread(self) -> bool:
        """Whether the client is still sending: the connection cannot be used again."""
        return not self._complete

    async def read(self) -> bytes:
        if self.expects and not self._complete:
            self.expects = False
            self.connection.send(CONTINUE)
        if not self._complete:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._arrived()
            except TimeoutError:
                raise SlowBodyError from None
        if self._size > self._limit:
            raise BodyTooLargeError
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    async def _arrived(self) -> None:
        while not self._complete and self._size <= self._limit:
            if self.lost:
                raise DisconnectedError
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter


class Connection(asyncio.Protocol):
    """See the module. Also the StreamWriter of a streamed answer and the Duplex of an upgraded connection."""

    def __init__(self, owner: Owner, *, is_local: bool = False) -> None:
        self._owner = owner
        self._is_local = is_local
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._incoming: _Incoming | None = None
        self._queue: list[tuple[Request, _Incoming]] = []
        self._task: asyncio.Task[None] | None = None
        self._streaming = False
        self._upgraded: asyncio.Queue[bytes] | None = None
        self._chunked = True
        self._paused = False
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._closed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._remote = ""
        self._certificate: bytes | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._idle: asyncio.Future[None] | None = None
        self._header_bytes = 0
        self._deaf = False
        """What follows cannot be understood any more."""

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
        if self._incoming is not None:
            self._incoming.lose()
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
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._upgraded is not None:
            self._upgraded.put_nowait(data)
            if self._upgraded.qsize() >= UNREAD_LIMIT and self._transport is not None and not self._paused:
                self._paused = True
                self._transport.pause_reading()
            return
        if self._deaf:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded = asyncio.Queue()
            if rest := data[upgrade.args[0] :]:
                self._upgraded.put_nowait(rest)
        except httptools.HttpParserInvalidMethodError:
            if data.partition(b" ")[0].isalpha():
                self._refuse(405, b"405 Method Not Allowed")
            else:
                self._refuse(400, b"400 Bad Request")
        except httptools.HttpParserError:
            self._refuse(400, b"400 Bad Request")

    def _refuse(self, status: int, words: bytes) -> None:
        """Answer what is no HTTP request, and hang up; a request whose body breaks off is answered by its handler."""
        self._deaf = True
        if self._incoming is not None and self._incoming.unread and self._task is not None and self._idle is None:
            self._incoming.lose()
            return
        if self._task is None or self._idle is not None:
            self.send(head(status, "text/plain; charset=utf-8", [("connection", "close")], len(words)) + words)
        self.close()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._incoming = _Incoming(self, self._owner.max_body, self._owner.body_seconds)
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        assert self._incoming is not None
        self._incoming.target += url
        self._header_bytes += len(url)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self._incoming is not None
        lower = _lower(name) if len(name) < LONG_NAME else name.decode("latin-1").lower()
        self._incoming.headers.append((lower, value.decode("latin-1")))
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse_head()

    def _refuse_head(self) -> None:
        self._refuse(431, b"431 Request Header Fields Too Large")

    def on_headers_complete(self) -> None:
        incoming = self._incoming
        assert incoming is not None
        incoming.keep_alive = self._parser.should_keep_alive()
        incoming.upgrade = self._parser.should_upgrade()
        if self._deaf:
            return
        if self._malformed(incoming):
            self._refuse(400, b"400 Bad Request")
            return
        raw_path, _, query = incoming.target.decode("latin-1").partition("?")
        if raw_path.startswith(("http://", "https://")):  # RFC 9112, section 3.2.2: whose path it is, is known
            raw_path = "/" + raw_path.split("/", 3)[3] if raw_path.count("/") > 2 else "/"
        path = unquote(raw_path) if "%" in raw_path else raw_path
        request = Request(self._parser.get_method().decode("ascii"), path, query, incoming.headers, incoming)
        request.raw_path = raw_path
        request.remote = self._remote
        request.is_local = self._is_local
        request.peer_certificate = self._certificate
        incoming.expects = request.headers.get("expect", "").lower() == "100-continue"
        self._chunked = self._parser.get_http_version() != "1.0"
        self._queue.append((request, incoming))
        if self._task is None:
            self._task = self._owner.scope.spawn(self._serve(), "connection")
        elif self._idle is not None:
            if not self._idle.done():
                self._idle.set_result(None)
        elif len(self._queue) > PIPELINE_LIMIT:
            self.close()

    def _malformed(self, incoming: _Incoming) -> bool:
        """One Host (RFC 9112, section 3.2), and no version before 1.0, which has no headers."""
        version = self._parser.get_http_version()
        hosts = [name for name, _ in incoming.headers if name == "host"]
        return version == "0.9" or len(hosts) > 1 or (not hosts and version == "1.1")

    def on_body(self, data: bytes) -> None:
        assert self._incoming is not None
        self._incoming.feed(data)

    def on_message_complete(self) -> None:
        assert self._incoming is not None
        self._incoming.finish()

    # Handling.

    async def _serve(self) -> None:
        """Handle one request after the other for as long as the connection lives; it ends with a handler that fails."""
        loop = asyncio.get_running_loop()
        try:
            while self._transport is not None:
                if not self._queue:
                    self._idle = loop.create_future()
                    self._idle_since = loop.time()
                    await self._idle
                    self._idle = None
                    continue
                request, incoming = self._queue.pop(0)
                answer = await self._owner.handler(request)
                again = await self._answer(request, incoming, answer)
                if not again or self._owner.draining or (self._deaf and not self._queue):
                    return
        finally:
            self.close()

    async def _answer(self, request: Request, incoming: _Incoming, answer: Answer) -> bool:
        """Send the answer; whether the connection can take another request."""
        if isinstance(answer, UpgradeResponse):
            await self._run_upgraded(answer)
            return False
        again = incoming.keep_alive and not incoming.upgrade and not incoming.unread and not self._owner.draining
        headers = answer.headers if again else [*answer.headers, ("connection", "close")]
        if isinstance(answer, Response):
            self._send_response(request, answer, headers)
        else:
            await self._run_stream(answer, headers)
            again = again and self._chunked
        return again

    def _send_response(self, request: Request, answer: Response, headers: list[tuple[str, str]]) -> None:
        body = answer.body
        if isinstance(body, bytes):
            start = head(answer.status, answer.content_type, headers, len(body))
            self.send(start if request.method == "HEAD" else start + body)
            return
        self.send(head(answer.status, answer.content_type, headers, sum(map(len, body))))
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

    async def _run_stream(self, answer: StreamResponse, headers: list[tuple[str, str]]) -> None:
        self.send(head(answer.status, answer.content_type, headers, -1 if self._chunked else -2))
        self._streaming = True
        try:
            await answer.run(self)
        finally:
            self._streaming = False
        if self._chunked:
            self.send(LAST_CHUNK)

    async def _run_upgraded(self, answer: UpgradeResponse) -> None:
        if self._upgraded is None:
            self._upgraded = asyncio.Queue()
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
        if self._streaming and self._chunked:
            data = frame(data)
        self.send(data)

    def write_framed(self, chunks: bytes) -> None:
        if not self._chunked:
            chunks = chunks[chunks.index(b"\r\n") + 2 : -2]
        if not self._waiting:
            self._owner.soon(self)
        self._waiting.append(chunks)
        self._waiting_bytes += len(chunks)

    def buffered(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size() + self._waiting_bytes

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
        if self._paused and self._transport is not None and self._upgraded.qsize() < UNREAD_LIMIT // 2:
            self._paused = False
            self._transport.resume_reading()
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
