"""A client's connection: requests are read, sent where decide.py says, and answered in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from pybernetes.ingress.server.exchange import Exchange
from pybernetes.ingress.server.gate import Gate
from pybernetes.ingress.server.message import (
    BODILESS,
    CHUNKED,
    CLOSE,
    EMPTY,
    LAST_CHUNK,
    Client,
    Headers,
    answer_head,
    header,
    own_answer,
)
from pybernetes.ingress.server.request_reader import RequestReader
from pybernetes.ingress.server.side import Side

HIGH_WATER = 1 << 20
PREFACE = b"PRI * HTTP/2.0\r\n"
"""How a client begins that knows that HTTP/2 is spoken here (RFC 9113, section 3.3)."""
IDLE_SECONDS = 75.0
"""How long a client may be silent between requests, or within one that nobody answers (as nginx' keepalive_timeout), how
long a head may take, and how long a client may take nothing of an answer."""


class Front(asyncio.Protocol, Side):
    """An exchange leaves the queue when it is answered and has arrived whole; only the first one is under way."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._reader = RequestReader(self)
        self._transport: asyncio.Transport | None = None
        self._exchanges: deque[Exchange] = deque()
        self._piped: Exchange | None = None
        self._starting = False
        self._held = self._backend_slow = self._slow = False
        self._corked = False
        self._pieces: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self.client = Client("", 0, False)
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        secure = transport.get_extra_info("sslcontext") is not None
        self.client = Client(peer[0] if peer else "", own[1] if own else 0, secure)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            self._become_http2(b"")
            return
        self.gate.fronts.add(self)
        self._heard = asyncio.get_running_loop().time()
        self._check_idle()

    def _become_http2(self, data: bytes) -> None:
        """Loaded with the first client that speaks it."""
        from pybernetes.ingress.server.http2 import Http2

        transport, self._transport = self._transport, None
        assert transport is not None
        self.connection_lost(None)
        other = Http2(self.gate, self.client)
        transport.set_protocol(other)
        other.connection_made(transport)
        if data:
            other.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.gate.fronts.discard(self)
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        for exchange in self._exchanges:
            if exchange.upstream is not None:
                exchange.upstream.give_up()
        self._exchanges.clear()
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        if data.startswith(PREFACE) and self._reader.is_idle and not self._exchanges:
            self._become_http2(data)
            return
        if not self._reader.in_head:
            self._heard = asyncio.get_running_loop().time()
        if self._piped is not None:
            self._pass_raw(data)
            return
        self._reader.feed(data)
        self.regulate()

    def eof_received(self) -> bool:
        """A client that says no more has left, as for nginx: a request that nobody waits for shall not go on.

        After an upgrade one side may end before the other; TLS knows no half-closed connection.
        """
        if self._piped is None or self._piped.upstream is None:
            return False
        self._piped.upstream.end_raw()
        return self._transport is not None and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        self._patience = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.abort)
        self._slow_client(True)

    def resume_writing(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._slow_client(False)
        self._start_next()

    def _slow_client(self, slow: bool) -> None:
        self._slow = slow
        upstream = self._exchanges[0].upstream if self._exchanges else None
        if upstream is not None:
            (upstream.pause_reading if slow else upstream.resume_reading)()

    # The reader's side.

    def asked_anew(self) -> Exchange:
        exchange = Exchange(self)
        self._exchanges.append(exchange)
        return exchange

    def asked(self, exchange: Exchange) -> None:
        self._start_next()

    def arrived(self, exchange: Exchange) -> None:
        exchange.finish()
        if exchange.answered:
            self._advance()

    def refuse_connection(self, status: int, message: str) -> None:
        if not any(exchange.started for exchange in self._exchanges):
            self.send(own_answer(status, message, close=True))
        self.close()

    # Where requests go.

    def _start_next(self) -> None:
        """Start what is first in the queue if its head is there, unless the client has yet to take what went before.

        One that is answered here and now makes way for the one behind it, in this loop: there may be thousands.
        """
        if self._starting:
            return
        self._starting = True
        try:
            while self._exchanges and self._exchanges[0].may_begin() and not self._slow:
                self._exchanges[0].begun = True
                self._start(self._exchanges[0])
        finally:
            self._starting = False

    def _start(self, exchange: Exchange) -> None:
        hosts = sum(1 for name, _ in exchange.headers if name.lower() == b"host")
        if exchange.method == b"CONNECT":
            self.refuse(exchange, 405, "CONNECT is for proxies of another kind")
        elif hosts > 1 or (exchange.modern and not hosts):
            exchange.keep_alive = False
            self.refuse(exchange, 400, "a request has exactly one Host header")
        elif exchange.is_chunked and header(exchange.headers, b"transfer-encoding").lower() != b"chunked":
            exchange.keep_alive = False
            self.refuse(exchange, 501, "the only transfer coding that is known is chunked")
        else:
            self.start(exchange)

    # What upstreams tell.

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def inform(self, exchange: Exchange, status: int, reason: bytes, headers: Headers) -> None:
        if status == 101:
            own = b"Connection: Upgrade\r\nUpgrade: " + header(headers, b"upgrade") + b"\r\n"
            self.send(answer_head(status, reason, headers, own))
        elif exchange.modern:
            self.send(answer_head(status, reason, headers, b""))

    def begin_answer(self, exchange: Exchange, status: int, reason: bytes, headers: Headers, *, has_body: bool) -> None:
        length = header(headers, b"content-length")
        exchange.chunks = has_body and exchange.modern and not length
        if has_body and not length and not exchange.modern:
            exchange.keep_alive = False
        own = CHUNKED if exchange.chunks else b""
        if not has_body and not length and exchange.method != b"HEAD" and status not in BODILESS:
            own = EMPTY  # HTTP/2 has said it by the head's end
        if not self.may_go_on(exchange):
            own += CLOSE
        self.send(answer_head(status, reason, headers, own))

    def send_part(self, exchange: Exchange, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data) if exchange.chunks else data)

    def end_answer(self, exchange: Exchange, trailers: Headers = ()) -> None:
        """Trailers are for clients of HTTP/2 only."""
        if exchange.chunks:
            self.send(LAST_CHUNK)

    def send(self, data: bytes) -> None:
        if self._corked:
            self._pieces.append(data)
        elif self._transport is not None:
            self._transport.write(data)

    def cork(self) -> None:
        """What is sent from now on goes out at once with `uncork`: head and body in one packet."""
        self._corked = True

    def uncork(self) -> None:
        pieces, self._pieces, self._corked = self._pieces, [], False
        if pieces and self._transport is not None:
            self._transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def may_go_on(self, exchange: Exchange) -> bool:
        """Whether the connection takes another request after this one."""
        return exchange.keep_alive and not exchange.upgrade and not self.gate.draining

    def answered(self, exchange: Exchange, *, keep: bool) -> None:
        """All of the answer is out."""
        exchange.answered = True
        exchange.upstream = None
        exchange.waiting.clear()
        if not keep or not self.may_go_on(exchange):
            self.close()
        elif exchange.complete:
            self._advance()

    def hold(self, *, backend: bool) -> None:
        """Whether the backend is too slow for what the client sends."""
        self._backend_slow = backend
        self.regulate()

    def pipe(self, exchange: Exchange) -> None:
        """From now on bytes go through as they are."""
        self._piped = exchange
        raw, exchange.raw = exchange.raw, b""
        if raw:
            self._pass_raw(raw)
        self.regulate()

    def end_raw(self) -> None:
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self.close()

    def close(self) -> None:
        self.uncork()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close_if_idle(self) -> None:
        if not self._exchanges:
            self.close()

    def _pass_raw(self, data: bytes) -> None:
        if self._piped is not None and self._piped.upstream is not None:
            self._piped.upstream.send_raw(data)

    def _advance(self) -> None:
        """The first exchange is over."""
        if self._exchanges:
            self._exchanges.popleft()
        if not self._exchanges and self.gate.draining:
            self.close()
        self._start_next()
        self.regulate()

    def refuse(self, exchange: Exchange, status: int, message: str, *, location: str = "") -> None:
        """Our own answer. A client that waits for leave to send its body may send it or not: no request is safe then."""
        if exchange.expects and not exchange.complete:
            exchange.keep_alive = False
        close, with_body = not self.may_go_on(exchange), exchange.method != b"HEAD"
        exchange.started = True
        self.send(own_answer(status, message, location=location, close=close, with_body=with_body))
        self.answered(exchange, keep=True)

    def regulate(self) -> None:
        """Read on only while somebody takes what comes."""
        if self._transport is None:
            return
        first = self._exchanges[0] if self._exchanges else None
        waits = first is not None and first.upstream is None and bool(first.waiting or first.raw)
        hold = self._backend_slow or waits or len(self._exchanges) > 1
        if hold != self._held:
            self._held = hold
            (self._transport.pause_reading if hold else self._transport.resume_reading)()

    def _check_idle(self) -> None:
        """Close a connection whose client is silent although it is its turn to speak."""
        loop = asyncio.get_running_loop()
        busy = self._piped is not None or any(exchange.complete for exchange in self._exchanges) or self._held
        left = IDLE_SECONDS if busy else self._heard + IDLE_SECONDS - loop.time()
        if left <= 0:
            self.close()
        else:
            self._timer = loop.call_later(left, self._check_idle)
