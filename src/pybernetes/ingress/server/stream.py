"""One request of a client that speaks HTTP/2, and its answer."""

from __future__ import annotations

from typing import Protocol

from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from pybernetes.ingress.server.exchange import Exchange
from pybernetes.ingress.server.gate import Gate
from pybernetes.ingress.server.message import Client, Headers, is_request_line, own_body, passed_on
from pybernetes.ingress.server.side import Side

HIGH_WATER = 256 << 10
"""Bytes of an answer that wait for the client's windows before the backend has to wait, too."""


PATIENCE = 1 << 20
"""Bytes of a request that may follow its answer."""


class Carrier(Protocol):
    """The connection of a stream."""

    client: Client
    gate: Gate
    frames: H2Connection

    @property
    def is_open(self) -> bool: ...

    def done(self, number: int) -> None:
        """The stream has ended."""
        ...

    @property
    def is_slow(self) -> bool:
        """Whether the client does not take what it was sent, whatever its windows say."""
        ...

    def flush(self) -> None:
        """Send the frames that are ready, unless more are about to come."""
        ...

    def cork(self) -> None: ...

    def uncork(self) -> None: ...


class Stream(Side):
    """A `Side` with one exchange. Bytes of a request count as read once a backend has taken them."""

    def __init__(self, connection: Carrier, number: int) -> None:
        self._connection, self._number = connection, number
        self.client, self.gate = connection.client, connection.gate
        self._exchange = Exchange(self)
        self._unread = 0
        self._backend_slow = False
        self._out = bytearray()
        self._trailers: Headers = ()
        self._ends = False
        self.is_over = False
        """The answer is out, or nobody waits for it."""
        self._patience = PATIENCE

    @property
    def is_open(self) -> bool:
        return self._connection.is_open and not self.is_over

    @property
    def is_busy(self) -> bool:
        """Whether it is not the client's turn alone: the request is whole, or its answer has begun."""
        return not self.is_over and (self._exchange.complete or self._exchange.started)

    # The request

    def begin(self, headers: Headers, *, ends: bool) -> None:
        pseudo = {name: value for name, value in headers if name.startswith(b":")}
        exchange = self._exchange
        exchange.method, exchange.target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
        # A browser's cookies come in pieces, of which HTTP/1.1 knows nothing (RFC 9113, section 8.2.3).
        cookies = [value for name, value in headers if name == b"cookie"]
        exchange.headers = [each for each in headers if not each[0].startswith(b":") and each[0] != b"cookie"]
        if cookies:
            exchange.headers.append((b"cookie", b"; ".join(cookies)))
        exchange.begin()
        exchange.host = pseudo.get(b":authority", b"") or exchange.host
        exchange.is_chunked = not ends and not any(name == b"content-length" for name, _ in headers)
        exchange.has_body, exchange.complete = not ends, ends
        if exchange.method == b"CONNECT":
            self.refuse(exchange, 405, "CONNECT is for proxies of another kind")
        elif not is_request_line(exchange.method, exchange.target, exchange.host):
            self.refuse(exchange, 400, "the method, path or authority of a request is malformed")
        elif not exchange.host:
            self.refuse(exchange, 400, "a request has exactly one Host header")
        else:
            self.start(exchange)

    def arrived(self, data: bytes, size: int) -> None:
        self._unread += size
        if self.is_over:
            self._discard(size)
            return
        self.receive(self._exchange, data)
        self.regulate()

    def complete(self) -> None:
        if self._exchange.complete:
            return  # it was so with the head
        if self.is_over:
            self._exchange.complete = True
            self._connection.done(self._number)
        else:
            self._exchange.finish()

    def gone(self) -> None:
        """The client does not want it any more."""
        self.is_over = True
        upstream, self._exchange.upstream = self._exchange.upstream, None
        if upstream is not None:
            upstream.give_up()

    def hold(self, *, backend: bool) -> None:
        self._backend_slow = backend
        self.regulate()

    def regulate(self) -> None:
        waits = self._exchange.upstream is None and not self._exchange.answered
        if self._unread and not waits and not self._backend_slow and self._connection.is_open:
            unread, self._unread = self._unread, 0
            self._connection.frames.acknowledge_received_data(unread, self._number)
            self._connection.flush()

    # The answer

    def inform(self, exchange: Exchange, status: int, reason: bytes, headers: Headers) -> None:
        self._send_headers([(b":status", b"%d" % status), *_lower(headers)], ends=False)

    def begin_answer(self, exchange: Exchange, status: int, reason: bytes, headers: Headers, *, has_body: bool) -> None:
        self._ends = not has_body
        self._send_headers([(b":status", b"%d" % status), *_lower(headers)], ends=not has_body)

    def send_part(self, exchange: Exchange, data: bytes) -> None:
        self._out += data
        self.pump()

    def end_answer(self, exchange: Exchange, trailers: Headers = ()) -> None:
        if not self._ends:
            self._ends, self._trailers = True, trailers
            self.pump()

    def pump(self) -> None:
        """As much of the answer as the client takes; the backend waits while much is left."""
        frames, upstream = self._connection.frames, self._exchange.upstream
        try:
            while self._out and not self._connection.is_slow and (size := self._room()) > 0:
                frames.send_data(self._number, bytes(self._out[:size]))
                del self._out[:size]
                self._connection.flush()
            if upstream is not None and len(self._out) > HIGH_WATER:
                upstream.pause_reading()
            elif upstream is not None and not self._out:
                upstream.resume_reading()
            if self._ends and not self._out and self._exchange.answered:
                self._end()
        except ProtocolError:
            self.gone()  # a stream that was taken back this moment
        self._connection.flush()

    def _room(self) -> int:
        frames = self._connection.frames
        window: int = frames.local_flow_control_window(self._number)
        room: int = min(window, frames.max_outbound_frame_size, len(self._out))
        return room

    def _end(self) -> None:
        """Everything is out."""
        if self.is_over:
            return
        self.is_over = True
        frames = self._connection.frames
        if self._trailers:
            frames.send_headers(self._number, _lower(self._trailers), end_stream=True)
        elif not self._closed_with_head:
            frames.end_stream(self._number)
        if self._exchange.complete:
            self._connection.done(self._number)

    def _discard(self, size: int) -> None:
        """Clients that are answered early send on for a while, and not all understand to be told that it is no use."""
        self.regulate()
        self._patience -= size
        if self._patience < 0:
            self._connection.frames.reset_stream(self._number, ErrorCodes.NO_ERROR)
            self._connection.done(self._number)

    _closed_with_head = False

    def _send_headers(self, headers: Headers, *, ends: bool) -> None:
        try:
            self._connection.frames.send_headers(self._number, list(headers), end_stream=ends)
        except ProtocolError:
            self.gone()
        self._closed_with_head = ends
        self._connection.flush()

    def answered(self, exchange: Exchange, *, keep: bool) -> None:
        exchange.answered = True
        exchange.upstream = None
        exchange.waiting.clear()
        self._ends = True
        self.regulate()
        self.pump()

    def refuse(self, exchange: Exchange, status: int, message: str, *, location: str = "") -> None:
        body = own_body(status, message)
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        if location:
            headers.append((b"location", location.encode("latin-1", "replace")))
        exchange.started = True
        with_body = exchange.method != b"HEAD"
        self.begin_answer(exchange, status, b"", headers, has_body=with_body)
        if with_body:
            self.send_part(exchange, body)
        self.answered(exchange, keep=True)

    def abort(self) -> None:
        if not self.is_over and self._connection.is_open:
            self.gone()
            self._connection.frames.reset_stream(self._number, ErrorCodes.INTERNAL_ERROR)
            self._connection.done(self._number)
            self._connection.flush()

    def close(self) -> None:
        self.abort()

    def pipe(self, exchange: Exchange) -> None:
        """No request asks for an upgrade here, so that no backend makes one."""
        self.abort()

    def send(self, data: bytes) -> None:
        """See `pipe`."""

    def end_raw(self) -> None:
        """See `pipe`."""

    def cork(self) -> None:
        self._connection.cork()

    def uncork(self) -> None:
        self._connection.uncork()


def _lower(headers: Headers) -> list[tuple[bytes, bytes]]:
    """As HTTP/2 has them, without what concerns one connection."""
    return [(name.lower(), value) for name, value in passed_on(headers)]
