"""From the bytes of a connection to its requests: httptools parses what has not been understood before."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol, TypeAlias

import httptools

from pybernetes.apiserver.http.incoming import Incoming, Whole
from pybernetes.apiserver.http.message import Headers
from pybernetes.apiserver.http.refusals import (
    BAD_REQUEST,
    UNKNOWN_EXPECTATION,
    complaint,
    expectation,
    is_other_method,
    of_garbage,
    refusal,
)

Heads: TypeAlias = dict[bytes, tuple[Headers, int]]
"""The headers of requests, as they came, with what the parser made of them and the length of the body."""

MAX_HEADER_BYTES: Final = 1 << 20
LONG_NAME: Final = 128
"""Of headers: these are not remembered."""
LONGEST_HEAD: Final = 4096
REMEMBERED_HEADS: Final = 1024
REQUEST_LINE: Final = re.compile(
    rb"(GET|POST|PATCH|PUT|DELETE) (/[\w.~%/:@!$&'()*+,;=-]*)(?:\?([\w.~%/:@!$&'()*+,;=?-]*))? HTTP/1\.1", re.ASCII
).fullmatch
"""What needs no second look; everything else is the parser's to judge."""


@lru_cache(maxsize=512)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


class Sink(Protocol):
    """Whose requests these are."""

    def take(self, method: bytes, target: bytes, query: str, headers: Headers, source: Incoming | Whole) -> None:
        """A request has come, but for its body."""
        ...

    def refuse(self, words: bytes) -> None:
        """Say this and hang up, behind the answers that are due."""
        ...

    def switch(self, rest: bytes) -> None:
        """The client has ended its last request; `rest` is of another protocol."""
        ...


class Reader:
    """See the module. `read` is given all that arrives."""

    def __init__(self, sink: Sink, heads: Heads, new_incoming: Callable[[], Incoming]) -> None:
        """`heads` are shared by the connections of a server."""
        self._sink = sink
        self._heads = heads
        self._new_incoming = new_incoming
        self._parser = httptools.HttpRequestParser(self)
        self._incoming: Incoming | None = None
        self._header_bytes = 0
        self._begun = 0
        self._between = True
        """Whether what comes next begins a request."""
        self._other_method = b""
        """Of the request that comes, one that the parser does not know."""
        self.deaf = False
        """What follows cannot be understood any more, or is not wanted."""
        self.chunked = True
        """Whether the client speaks HTTP/1.1."""

    def read(self, data: bytes) -> None:
        if self.deaf:
            return
        if self._between:
            self._start(data)
        else:
            self._parse(data)

    def lose(self) -> None:
        """No more will come."""
        if self._incoming is not None:
            self._incoming.lose()

    def fail(self) -> bool:
        """Nothing more is understood; whether that breaks off the body of a request, which its handler answers then."""
        self.deaf = True
        incoming = self._incoming
        if incoming is None or not (incoming.taken and incoming.unread):
            return False
        incoming.lose()
        return True

    def _start(self, data: bytes) -> None:
        """Clients say the same with each request: headers that the parser has understood once need not be parsed again."""
        end = data.find(b"\r\n\r\n")
        line, _, block = data[: max(end, 0)].partition(b"\r\n")
        heads, length = self._heads, len(data) - end - 4
        known = heads.get(block)
        if known is not None and known[1] == length and (match := REQUEST_LINE(line)):
            method, target, query = match.groups(b"")
            self.chunked = True
            self._sink.take(method, target, query.decode("ascii"), known[0], Whole(data[end + 4 :]))
            return
        begun = self._begun
        if end > 0 and line and line.count(b" ") != 2:
            self._sink.refuse(BAD_REQUEST)
            return
        method, _, rest = data.partition(b" ")
        if is_other_method(method):
            self._other_method, data = method, b"POST " + rest
        self._parse(data)
        if self._begun == begun + 1 and self._between and not self.deaf and 0 < len(block) < LONGEST_HEAD:
            self._remember(block, length)

    def _remember(self, block: bytes, length: int) -> None:
        """The parser has made one whole request of headers and a body of so many bytes."""
        heads, incoming = self._heads, self._incoming
        assert incoming is not None
        if incoming.is_plain and incoming.size == length and self._parser.get_http_version() == "1.1":
            if len(heads) >= REMEMBERED_HEADS:
                heads.clear()
            heads[block] = Headers(incoming.headers), length

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._sink.switch(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            last = self._incoming
            self.deaf = True
            if last is None or last.unread or last.keep_alive:  # else it lies behind the last request, as announced
                self._sink.refuse(of_garbage(data))

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._incoming = self._new_incoming()
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
        if not self.deaf:
            self._sink.refuse(refusal(431))

    def on_headers_complete(self) -> None:
        incoming = self._incoming
        assert incoming is not None
        incoming.keep_alive = self._parser.should_keep_alive()
        incoming.upgrade = self._parser.should_upgrade()
        if self.deaf:
            return
        if words := complaint(incoming.headers, self._parser.get_http_version()):
            self._sink.refuse(words)
            return
        raw_path, _, query = incoming.target.decode("latin-1").partition("?")
        if raw_path.startswith(("http://", "https://")):  # RFC 9112, section 3.2.2: whose path it is, is known
            raw_path = "/" + raw_path.split("/", 3)[3] if raw_path.count("/") > 2 else "/"
        headers = Headers(incoming.headers)
        self.chunked = self._parser.get_http_version() != "1.0"
        expects = expectation(headers.first)
        if expects is None:
            self._sink.refuse(UNKNOWN_EXPECTATION)
            return
        incoming.expects = expects and self.chunked
        method, self._other_method = self._other_method or self._parser.get_method(), b""
        self._sink.take(method, raw_path.encode("latin-1"), query, headers, incoming)
        incoming.taken = not self.deaf

    def on_body(self, data: bytes) -> None:
        assert self._incoming is not None
        self._incoming.feed(data)

    def on_message_complete(self) -> None:
        incoming = self._incoming
        assert incoming is not None
        incoming.finish()
        self._between = incoming.keep_alive and not incoming.upgrade
