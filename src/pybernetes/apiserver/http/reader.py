"""From the bytes of a connection to its requests, one after the other: the next is read once this one is answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from pybernetes.apiserver.http.chunks import ChunkError, Chunks
from pybernetes.apiserver.http.incoming import Incoming, Whole
from pybernetes.apiserver.http.refusals import BAD_REQUEST, TOO_LARGE, RefusedError
from pybernetes.apiserver.http.request_head import CHUNKED, Head, read_head
from pybernetes.apiserver.http.request_line import RequestLine, read_line

Heads: TypeAlias = dict[bytes, Head]
"""What was made of headers, by their bytes: clients say the same with each request."""

MAX_HEAD_BYTES: Final = (1 << 20) + 4096
LONGEST_HEAD: Final = 4096
"""Of those that are remembered."""
REMEMBERED_HEADS: Final = 1024
END: Final = b"\r\n\r\n"
_STRAY: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)").search
"""Half a line end."""


class Sink(Protocol):
    """Whose requests these are."""

    def take(self, line: RequestLine, head: Head, body: Incoming | Whole) -> None:
        """A request has come, but perhaps for its body. The next one comes after `Reader.go_on`."""
        ...

    def refuse(self, words: bytes) -> None:
        """Say this and hang up: what came is no request."""
        ...


class Reader:
    """See the module. `read` is given all that arrives."""

    def __init__(self, sink: Sink, heads: Heads, new_incoming: Callable[[], Incoming], max_body: int) -> None:
        """`heads` are shared by the connections of a server; who takes a longer body than `max_body` is told by it."""
        self._sink = sink
        self._heads = heads
        self._new_incoming = new_incoming
        self._max_body = max_body
        self._buffer = bytearray()
        """What belongs to the next request, or to whom the connection is given."""
        self._searched = 0
        """Of the buffer: no head ends there."""
        self._busy = False
        """Whether a request is with the sink."""
        self._incoming: Incoming | None = None
        self._left = 0
        """Of the body that comes."""
        self._chunks: Chunks | None = None
        self._is_post = False
        self._deaf = False
        """What follows is not wanted."""

    @property
    def held(self) -> int:
        """Bytes that came while a request was with the sink."""
        return len(self._buffer) if self._busy else 0

    def read(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._incoming is not None:
            data = self._read_body(self._incoming, data)
        if self._busy or self._buffer:
            self._buffer += data
            if self._busy:
                return
            self._begin_buffered()
        elif data:
            self._begin(data)

    def go_on(self) -> None:
        """The sink is done with its request: read the next one, which may be there."""
        self._busy = False
        if self._buffer and not self._deaf:
            self._begin_buffered()

    def rest(self) -> bytes:
        """Take what has come behind the request: it is of another protocol."""
        self._deaf = True
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def lose(self) -> None:
        """No more will come."""
        self._deaf = True
        if self._incoming is not None:
            self._incoming.lose()

    def _begin_buffered(self) -> None:
        if self._buffer.find(END, max(0, self._searched - len(END))) >= 0:
            data = bytes(self._buffer)
            self._buffer.clear()
            self._searched = 0
            self._begin(data)
        else:
            self._check_beginning()

    def _begin(self, data: bytes) -> None:
        """A request, of which at least the first byte is there, and nothing in the buffer."""
        if self._is_post and data[0] in b"\r\n":  # some clients send a line end behind a form
            data = data.lstrip(b"\r\n")
        end = data.find(END)
        if end < 0:
            self._buffer += data
            self._check_beginning()
            return
        first, _, block = data[:end].partition(b"\r\n")
        try:
            line = read_line(first)
            head = self._heads.get(block)
            if head is None or line.is_old:
                head = self._read_head(block, line)
        except RefusedError as refused:
            self._refuse(refused.words)
            return
        self._is_post = line.method == "POST"
        self._busy = True
        length, rest = head.length, data[end + 4 :]
        if 0 <= length <= min(len(rest), self._max_body) and not head.expects:
            self._buffer += rest[length:]
            self._sink.take(line, head, Whole(rest[:length]))
            return
        self._take_incoming(line, head, rest)

    def _read_head(self, block: bytes, line: RequestLine) -> Head:
        """Raises RefusedError."""
        head = read_head(block, method=line.method, is_old=line.is_old)
        if len(block) < LONGEST_HEAD and not line.is_old and line.method != "CONNECT":
            if len(self._heads) >= REMEMBERED_HEADS:
                self._heads.clear()
            self._heads[block] = head
        return head

    def _take_incoming(self, line: RequestLine, head: Head, rest: bytes) -> None:
        incoming = self._incoming = self._new_incoming()
        incoming.expects = head.expects
        self._left = head.length
        self._chunks = Chunks() if head.length == CHUNKED else None
        self._buffer += self._read_body(incoming, rest)
        self._sink.take(line, head, incoming)

    def _read_body(self, incoming: Incoming, data: bytes) -> bytes:
        """Give the body what is its own of the data; what lies behind it."""
        rest: bytes | None
        if self._chunks is None:
            mine, rest = data[: self._left], data[self._left :]
            self._left -= len(mine)
            incoming.feed(mine)
            if self._left:
                return b""
        else:
            try:
                pieces, rest = self._chunks.feed(data)
            except ChunkError as error:
                incoming.lose(str(error))
                self._deaf = True
                return b""
            for piece in pieces:
                incoming.feed(piece)
            if rest is None:
                return b""
        self._incoming = None
        incoming.finish()
        return rest

    def _check_beginning(self) -> None:
        """Refuse what can become no head however it goes on."""
        start = max(0, self._searched - 1)
        if len(self._buffer) > MAX_HEAD_BYTES:
            self._refuse(TOO_LARGE)
        elif _STRAY(self._buffer, start):
            self._refuse(BAD_REQUEST)
        else:
            self._searched = len(self._buffer)

    def _refuse(self, words: bytes) -> None:
        self._deaf = True
        self._buffer.clear()
        self._sink.refuse(words)
