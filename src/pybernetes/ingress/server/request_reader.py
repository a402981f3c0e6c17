"""Bytes of a client that speaks HTTP/1, read as requests."""

from __future__ import annotations

import logging
from typing import Protocol

import httptools

from pybernetes.ingress.server.exchange import Exchange
from pybernetes.ingress.server.message import header, tokens

log = logging.getLogger(__name__)

MAX_HEAD = 64 << 10


class Taker(Protocol):
    """Who is told of requests, in their order: each is `asked`, may have a body, and has then arrived whole."""

    def asked_anew(self) -> Exchange:
        """A request begins, which the reader fills."""
        ...

    def asked(self, exchange: Exchange) -> None:
        """Its head is there."""
        ...

    def receive(self, exchange: Exchange, data: bytes) -> None:
        """A part of its body."""
        ...

    def arrived(self, exchange: Exchange) -> None:
        """All of it is there; what follows an upgrade that was asked for is in `raw`."""
        ...

    def refuse_connection(self, status: int, message: str) -> None:
        """What comes cannot be read, and has no end either."""
        ...

    def close(self) -> None: ...


class RequestReader:
    """The callbacks named `on_*` are httptools'."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._parser = httptools.HttpRequestParser(self)
        self._arriving: Exchange | None = None
        self._resuming = False
        self._head_bytes = 0

    @property
    def in_head(self) -> bool:
        """Whether a request has begun whose head is not there yet."""
        return self._arriving is not None and not self._arriving.method

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun."""
        return self._arriving is None

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade_asked(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            log.exception("request failed")
            self._taker.refuse_connection(500, "the proxy failed")
        except httptools.HttpParserError as error:
            self._taker.refuse_connection(400, f"this is no HTTP request: {error}")

    def on_message_begin(self) -> None:
        if not self._resuming:
            self._arriving = self._taker.asked_anew()
            self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        if self._arriving is not None and not self._resuming:
            self._arriving.target += url
            self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        exchange = self._arriving
        if exchange is None or exchange.method or self._resuming:
            return  # what follows a body
        exchange.headers.append((name, value))
        self._count(len(name) + len(value))

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD:
            self._taker.refuse_connection(431, f"the head of a request may have {MAX_HEAD} bytes")

    def on_headers_complete(self) -> None:
        exchange = self._arriving
        if exchange is None or self._resuming:
            self._resuming = False
            return
        exchange.method = self._parser.get_method()
        exchange.modern = self._parser.get_http_version() != "1.0"
        exchange.keep_alive = self._parser.should_keep_alive()
        exchange.begin()
        if self._parser.should_upgrade():
            asked = header(exchange.headers, b"upgrade")
            self._resuming = exchange.has_body or b"h2c" in tokens(asked)
            exchange.upgrade = b"" if self._resuming else asked
        self._taker.asked(exchange)

    def on_body(self, data: bytes) -> None:
        if self._arriving is not None:
            self._taker.receive(self._arriving, data)

    def on_message_complete(self) -> None:
        exchange = self._arriving
        if exchange is not None and not exchange.upgrade and not self._resuming:
            self._arriving = None
            self._taker.arrived(exchange)

    def _upgrade_asked(self, rest: bytes) -> None:
        """What follows belongs to the other protocol, if there is to be one.

        h2c is not spoken here, nor is a protocol changed behind a body, which a server may leave unsaid: such a request
        is served as any other, and what follows is read by a new parser, since the old one takes it for something else.
        """
        exchange = self._arriving
        if exchange is None:
            self._taker.close()
        elif exchange.upgrade:
            self._arriving = None
            exchange.raw += rest
            self._taker.arrived(exchange)
        else:
            self._parser = httptools.HttpRequestParser(self)
            framing = (
                b"Transfer-Encoding: chunked" if exchange.is_chunked else b"Content-Length: %d" % exchange.length()
            )
            self.feed(b"POST / HTTP/1.1\r\nHost: -\r\n" + framing + b"\r\n\r\n" + rest)
