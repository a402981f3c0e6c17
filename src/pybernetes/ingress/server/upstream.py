"""A connection to a backend that speaks HTTP/1."""

from __future__ import annotations

import asyncio
import logging

import httptools

from pybernetes.ingress.server.backend_connection import BackendConnection, Keeper, Place
from pybernetes.ingress.server.exchange import Exchange
from pybernetes.ingress.server.message import BODILESS, LAST_CHUNK, header

log = logging.getLogger(__name__)

HIGH_WATER = 1 << 20


class Upstream(BackendConnection):
    """The callbacks named `on_*` are httptools'."""

    def __init__(self, pool: Keeper, place: Place) -> None:
        super().__init__(pool, place)
        self._piped = self._paused = False
        self._new_parser()

    def _new_parser(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._spent = False
        self._reason = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._lasts = False
        self._final = False

    # The exchange's side.

    def take(self, exchange: Exchange) -> None:
        self._begin(exchange)
        self._write(exchange.head(exchange.side.client))
        while exchange.waiting:
            self.send_body(exchange.waiting.popleft())
        if exchange.complete:
            self.end_body()

    def send_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.is_chunked:
            self._write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self._write(data)

    def end_body(self) -> None:
        exchange = self._exchange
        if exchange is None or exchange.forward is None:
            return
        if exchange.is_chunked:
            self._write(LAST_CHUNK)
        self._start_timer(exchange)

    def send_raw(self, data: bytes) -> None:
        self._write(data)

    def end_raw(self) -> None:
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self.close()

    def give_up(self) -> None:
        self._exchange = None
        self.abort()

    def pause_reading(self) -> None:
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if self._piped:
            if exchange is not None:
                exchange.side.send(data)
            return
        if exchange is None:
            self.abort()  # an answer that nobody asked for
            return
        side = exchange.side
        side.cork()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._pipe(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            log.exception("answer failed")
            self._fail("the proxy failed")
        except httptools.HttpParserError as error:
            # What comes after an answer without a body that has a length (HEAD) is not looked at.
            if not self._spent:
                self._fail(f"the answer of service {self._backend_name()} is no HTTP: {error}")
        finally:
            side.uncork()
        if self._spent:
            self._new_parser()

    def eof_received(self) -> bool:
        if self._piped and self._exchange is not None:
            self._exchange.side.end_raw()
            return self._transport is not None and self._transport.can_write_eof()
        self._pool.forget(self)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._stop_timer()
        self._pool.forget(self)
        exchange = self._exchange
        if exchange is None:
            return
        self._exchange = None
        if self._piped:
            exchange.side.close()
        elif self._final and self._lasts and exc is None:
            exchange.side.end_answer(exchange)
            exchange.side.answered(exchange, keep=exchange.chunks)
        else:
            exchange.side.broken_off(exchange, str(exc or "connection closed"))

    def pause_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.side.hold(backend=True)

    def resume_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.side.hold(backend=False)

    # The parser's side.

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._final:
            self._headers.append((name, value))  # not those that follow the body

    def on_headers_complete(self) -> None:
        exchange, status = self._exchange, self._parser.get_status_code()
        if exchange is None:
            return
        headers, self._headers = self._headers, []
        reason, self._reason = self._reason, b""
        if status < 200 and (status != 101 or exchange.upgrade):
            exchange.side.inform(exchange, status, reason, headers)
            return
        self._stop_timer()
        self._final = True
        exchange.started = True
        has_body = exchange.method != b"HEAD" and status not in BODILESS
        length, coding = header(headers, b"content-length"), header(headers, b"transfer-encoding")
        self._lasts = has_body and not length and not coding
        exchange.side.begin_answer(exchange, status, reason, headers, has_body=has_body and length != b"0")
        if exchange.method == b"HEAD":
            self._ended(keep=self._parser.should_keep_alive())
            self._spent = True

    def on_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is not None:
            exchange.side.send_part(exchange, data)

    def on_message_complete(self) -> None:
        exchange = self._exchange
        if exchange is None or not self._final or self._lasts:
            return
        exchange.side.end_answer(exchange)
        self._ended(keep=self._parser.should_keep_alive())

    def _ended(self, *, keep: bool) -> None:
        """The answer is out. A backend that answered before it had the whole request is not asked again."""
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self._final = self._lasts = False
        exchange.upstream = None
        if keep and exchange.complete and not exchange.upgrade:
            self.resume_reading()  # the next client may be a fast one
            self._pool.release(self)
        else:
            self.close()
        exchange.side.answered(exchange, keep=not exchange.upgrade)

    def _pipe(self, rest: bytes) -> None:
        """After a 101 bytes go through as they are."""
        exchange = self._exchange
        if exchange is None or not exchange.upgrade:
            self._fail(f"service {self._backend_name()} changed the protocol unasked")
            return
        self._stop_timer()
        self._piped = True
        exchange.side.pipe(exchange)
        if rest:
            exchange.side.send(rest)
