"""One client connection: httptools parses, one request at a time is handled, answers are framed.

A request that was begun is finished even when its client goes away, since its write may be half way; only streams and
upgraded connections are cancelled then.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final, Protocol, TypeAlias
from urllib.parse import unquote

import httptools

from pybernetes.aio.tasks import Scope
from pybernetes.apiserver.http.head import LAST_CHUNK, head
from pybernetes.apiserver.http.incoming import Incoming, Whole
from pybernetes.apiserver.http.message import (
    Answer,
    Headers,
    Request,
    Response,
    StreamResponse,
    UpgradeResponse,
    frame,
)
from pybernetes.apiserver.http.refusals import (
    BAD_ESCAPE,
    BAD_REQUEST,
    UNKNOWN_EXPECTATION,
    complaint,
    expectation,
    is_other_method,
    of_garbage,
    refusal,
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
LONGEST_HEAD: Final = 4096
REMEMBERED_HEADS: Final = 1024
REQUEST_LINE: Final = re.compile(
    rb"(GET|POST|PATCH|PUT|DELETE) (/[\w.~%/:@!$&'()*+,;=-]*)(?:\?([\w.~%/:@!$&'()*+,;=?-]*))? HTTP/1\.1", re.ASCII
).fullmatch
"""What needs no second look; everything else is the parser's to judge."""


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
    heads: dict[bytes, tuple[Headers, int]]
    """The headers of requests, as they came, with what the parser made of them and the length of the body."""

    def joined(self, connection: Connection) -> None: ...

    def left(self, connection: Connection) -> None: ...

    def soon(self, connection: Connection) -> None:
        """Have `flush` called at the next turn of the loop."""
        ...


class Connection(asyncio.Protocol):
    """See the module. Also the StreamWriter of a streamed answer and the Duplex of an upgraded connection."""

    def __init__(self, owner: Owner, *, is_local: bool = False) -> None:
        self._owner = owner
        self._is_local = is_local
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._incoming: Incoming | None = None
        self._queue: list[tuple[Request, Incoming | Whole]] = []
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
        self._begun = 0
        self._between = True
        """Whether what comes next begins a request."""
        self._deaf = False
        """What follows cannot be understood any more, or is not wanted."""
        self._last_words = b""
        """To be said once those requests are answered that could be understood."""
        self._other_method = b""
        """Of the request that comes, one that the parser does not know."""

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
        if self._between:
            self._start(data)
        else:
            self._parse(data)

    def _start(self, data: bytes) -> None:
        """Clients say the same with each request: headers that the parser has understood once need not be parsed again."""
        end = data.find(b"\r\n\r\n")
        line, _, block = data[: max(end, 0)].partition(b"\r\n")
        heads, length = self._owner.heads, len(data) - end - 4
        known = heads.get(block)
        if known is not None and known[1] == length and (match := REQUEST_LINE(line)):
            method, target, query = match.groups(b"")
            self._chunked = True
            self._take(method, target, query.decode("ascii"), known[0], Whole(data[end + 4 :]))
            return
        begun = self._begun
        if end > 0 and line and line.count(b" ") != 2:
            self._refuse(BAD_REQUEST)
            return
        method, _, rest = data.partition(b" ")
        if is_other_method(method):
            self._other_method, data = method, b"POST " + rest
        self._parse(data)
        if self._begun == begun + 1 and self._between and not self._deaf and 0 < len(block) < LONGEST_HEAD:
            self._remember(block, length)

    def _remember(self, block: bytes, length: int) -> None:
        """The parser has made one whole request of headers and a body of so many bytes."""
        heads, incoming = self._owner.heads, self._incoming
        assert incoming is not None
        if incoming.is_plain and incoming.size == length and self._parser.get_http_version() == "1.1":
            if len(heads) >= REMEMBERED_HEADS:
                heads.clear()
            heads[block] = Headers(incoming.headers), length

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded = asyncio.Queue()
            if rest := data[upgrade.args[0] :]:
                self._upgraded.put_nowait(rest)
        except httptools.HttpParserError:
            last = self._incoming
            self._deaf = True
            if last is None or last.unread or last.keep_alive:  # else it lies behind the last request, as announced
                self._refuse(of_garbage(data))

    def _refuse(self, words: bytes) -> None:
        """Say this and hang up, behind the answers that are due; a request whose body breaks off is answered by its handler."""
        self._deaf = True
        if self._incoming is not None and self._incoming.taken and self._incoming.unread:
            self._incoming.lose()
            return
        self._last_words = words
        if self._task is None or (self._idle is not None and not self._idle.done()):
            self.send(words)
            self.close()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._incoming = Incoming(self.send, self._owner.max_body, self._owner.body_seconds)
        self._header_bytes = 0
        self._begun += 1
        self._between = False

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
        if not self._deaf:
            self._refuse(refusal(431))

    def on_headers_complete(self) -> None:
        incoming = self._incoming
        assert incoming is not None
        incoming.keep_alive = self._parser.should_keep_alive()
        incoming.upgrade = self._parser.should_upgrade()
        if self._deaf:
            return
        if words := complaint(incoming.headers, self._parser.get_http_version()):
            self._refuse(words)
            return
        raw_path, _, query = incoming.target.decode("latin-1").partition("?")
        if raw_path.startswith(("http://", "https://")):  # RFC 9112, section 3.2.2: whose path it is, is known
            raw_path = "/" + raw_path.split("/", 3)[3] if raw_path.count("/") > 2 else "/"
        headers = Headers(incoming.headers)
        self._chunked = self._parser.get_http_version() != "1.0"
        expects = expectation(headers.first)
        if expects is None:
            self._refuse(UNKNOWN_EXPECTATION)
            return
        incoming.expects = expects and self._chunked
        method, self._other_method = self._other_method or self._parser.get_method(), b""
        self._take(method, raw_path.encode("latin-1"), query, headers, incoming)
        incoming.taken = not self._deaf

    def _take(self, method: bytes, target: bytes, query: str, headers: Headers, source: Incoming | Whole) -> None:
        """A request has come, but for its body."""
        raw_path = target.decode("latin-1")
        path = raw_path
        if "%" in raw_path:
            if BAD_ESCAPE(raw_path):
                self._refuse(BAD_REQUEST)
                return
            path = unquote(raw_path)
        request = Request(method.decode("ascii"), path, query, headers, source)
        request.raw_path = raw_path
        request.remote = self._remote
        request.is_local = self._is_local
        request.peer_certificate = self._certificate
        self._queue.append((request, source))
        if self._task is None:
            self._task = self._owner.scope.spawn(self._serve(), "connection")
        elif self._idle is not None:
            if not self._idle.done():
                self._idle.set_result(None)
        elif len(self._queue) > PIPELINE_LIMIT:
            self.close()

    def on_body(self, data: bytes) -> None:
        assert self._incoming is not None
        self._incoming.feed(data)

    def on_message_complete(self) -> None:
        incoming = self._incoming
        assert incoming is not None
        incoming.finish()
        self._between = incoming.keep_alive and not incoming.upgrade

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
                if not again or self._owner.draining:
                    return
                if self._deaf and not self._queue:
                    if self._last_words:
                        self.send(self._last_words)
                    return
        finally:
            self.close()

    async def _answer(self, request: Request, incoming: Incoming | Whole, answer: Answer) -> bool:
        """Send the answer; whether the connection can take another request."""
        if isinstance(answer, UpgradeResponse):
            await self._run_upgraded(answer)
            return False
        again = incoming.keep_alive and not incoming.upgrade and not incoming.unread and not self._owner.draining
        again = again and (self._chunked or isinstance(answer, Response))
        headers = answer.headers
        if again != self._chunked:  # what a version does anyway is not said
            headers = [*headers, ("connection", "keep-alive" if again else "close")]
        if isinstance(answer, Response):
            self._send_response(request, answer, headers)
        else:
            await self._run_stream(answer, headers)
        return again

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
        return "1.1" if self._chunked else "1.0"

    async def _run_stream(self, answer: StreamResponse, headers: list[tuple[str, str]]) -> None:
        length = -1 if self._chunked else -2
        self.send(head(answer.status, answer.content_type, headers, length, self._version))
        self._streaming = True
        if self._transport is not None and not self._owner.draining:
            self._closed = asyncio.Event()  # the stream before may have been ended by its user
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
        if not data:
            return  # an empty chunk would end the body
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
