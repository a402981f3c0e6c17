"""SPDY/3.1 without sockets, as far as Kubernetes' clients use it: streams, data, half-close, reset, ping, go-away.

Flow control is left to TCP, as these clients do. Source: the SPDY protocol draft 3.1.
"""

import struct
import zlib
from collections.abc import Mapping
from enum import IntEnum

from msgspec import Struct

_CONTROL = 0x80000000
_VERSION = 3
_FIN = 1
_MAX_HEADERS = 64 * 1024
REFUSED, CANCEL, INTERNAL_ERROR = 3, 5, 6

_HEADERS = """
options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow
authorization cache-control connection content-base content-encoding content-language content-length content-location
content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match
if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range
referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate
method get status
"""
_WORDS = (*_HEADERS.split(), "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


class _Kind(IntEnum):
    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    PING = 6
    GOAWAY = 7
    HEADERS = 8


def _string(text: str) -> bytes:
    return struct.pack("!I", len(text)) + text.encode("latin-1")


DICTIONARY = b"".join(_string(word) for word in _WORDS) + _TAIL.encode()
"""What both sides' header compression starts with (draft 3.1, 2.6.10.1)."""


class SpdyError(ValueError):
    """The other side breaks the protocol; the connection cannot be used any more."""


class Opened(Struct, frozen=True):
    """The other side has opened a stream, which is to be accepted or reset. Names of headers are in lower case."""

    stream: int
    headers: dict[str, str]
    fin: bool


class Accepted(Struct, frozen=True):
    """The other side has accepted a stream of ours."""

    stream: int
    fin: bool


class Data(Struct, frozen=True):
    """Bytes of a stream; after `fin` the other side sends no more on it."""

    stream: int
    data: bytes
    fin: bool


class Reset(Struct, frozen=True):
    """The stream is over at once."""

    stream: int
    status: int


class Ping(Struct, frozen=True):
    """To be answered with `Connection.pong`, unless it answers a ping of ours."""

    id: int


class GoAway(Struct, frozen=True):
    """The other side wants no more streams."""


Event = Opened | Accepted | Data | Reset | Ping | GoAway


class Connection:
    """Both directions of one connection: bytes in, events out; calls in, bytes out. Data is sent in frames of 32 KiB."""

    _CHUNK = 32 * 1024

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last = 0
        self._stream, self._left, self._fin = 0, 0, False
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, zdict=DICTIONARY)

    def receive(self, data: bytes) -> list[Event]:
        """The events that `data` completes; the bytes of a data frame are told as they come. Raises SpdyError."""
        self._buffer += data
        events: list[Event] = []
        while self._buffer:
            if self._left:
                events.append(self._data())
                continue
            if len(self._buffer) < 8:
                break
            first, second = struct.unpack_from("!II", self._buffer)
            flags, length = second >> 24, second & 0xFFFFFF
            if first & _CONTROL:
                if length > _MAX_HEADERS:
                    raise SpdyError(f"a control frame of {length} bytes")
                if len(self._buffer) < 8 + length:
                    break
                payload = bytes(self._buffer[8 : 8 + length])
                del self._buffer[: 8 + length]
                event = self._control(first, flags, payload)
            else:
                del self._buffer[:8]
                self._stream, self._left, self._fin = first, length, bool(flags & _FIN)
                event = None if length else Data(first, b"", self._fin)
            if event is not None:
                events.append(event)
        return events

    def _data(self) -> Data:
        """What has come of the data frame that has begun."""
        payload = bytes(self._buffer[: self._left])
        del self._buffer[: len(payload)]
        self._left -= len(payload)
        return Data(self._stream, payload, self._fin and not self._left)

    def _control(self, first: int, flags: int, payload: bytes) -> Event | None:
        """Frames that no client of Kubernetes acts on (settings, window updates) are passed over."""
        if first >> 16 & 0x7FFF != _VERSION:
            raise SpdyError(f"SPDY version {first >> 16 & 0x7FFF}")
        fin = bool(flags & _FIN)
        try:
            match first & 0xFFFF:
                case _Kind.SYN_STREAM:
                    return Opened(self._next(payload), self._headers(payload[10:]), fin)
                case _Kind.SYN_REPLY:
                    self._headers(payload[4:])
                    return Accepted(_number(payload), fin)
                case _Kind.RST_STREAM:
                    return Reset(_number(payload), _number(payload[4:]))
                case _Kind.PING:
                    return Ping(_number(payload))
                case _Kind.GOAWAY:
                    return GoAway()
                case _Kind.HEADERS:
                    self._headers(payload[4:])
                    return Data(_number(payload), b"", fin)
        except struct.error as error:
            raise SpdyError("short frame") from error
        return None

    def _next(self, payload: bytes) -> int:
        """The number of a stream that the other side opens: higher than all before (draft 3.1, 2.3.2)."""
        number = _number(payload)
        if number <= self._last:
            raise SpdyError(f"stream {number} after stream {self._last}")
        self._last = number
        return number

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            data = self._inflate.decompress(block, _MAX_HEADERS)
        except zlib.error as error:
            raise SpdyError(f"headers: {error}") from error
        if self._inflate.unconsumed_tail:
            raise SpdyError("headers are too long")
        headers: dict[str, str] = {}
        (count,), position = struct.unpack_from("!I", data), 4
        for _ in range(count):
            name, position = _text(data, position)
            headers[name.lower()], position = _text(data, position)
        return headers

    def _compress(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack("!I", len(headers))
        block += b"".join(_string(name.lower()) + _string(value) for name, value in headers.items())
        return self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def open(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        """Open a stream; a client's have odd numbers."""
        payload = struct.pack("!IIH", stream, 0, 0) + self._compress(headers)
        return _frame(_Kind.SYN_STREAM, _FIN if fin else 0, payload)

    def accept(self, stream: int) -> bytes:
        return _frame(_Kind.SYN_REPLY, 0, struct.pack("!I", stream) + self._compress({}))

    def data(self, stream: int, data: bytes, *, fin: bool = False) -> bytes:
        """Bytes on a stream, and with `fin` the end of ours."""
        chunks = [data[start : start + self._CHUNK] for start in range(0, len(data), self._CHUNK)] or [b""]
        out = bytearray()
        for number, chunk in enumerate(chunks, 1):
            flags = _FIN if fin and number == len(chunks) else 0
            out += struct.pack("!II", stream, flags << 24 | len(chunk)) + chunk
        return bytes(out)

    def reset(self, stream: int, status: int = CANCEL) -> bytes:
        return _frame(_Kind.RST_STREAM, 0, struct.pack("!II", stream, status))

    def pong(self, ping: Ping) -> bytes:
        return _frame(_Kind.PING, 0, struct.pack("!I", ping.id))

    def go_away(self, last_stream: int) -> bytes:
        return _frame(_Kind.GOAWAY, 0, struct.pack("!II", last_stream, 0))


def _frame(kind: int, flags: int, payload: bytes) -> bytes:
    return struct.pack("!II", _CONTROL | _VERSION << 16 | kind, flags << 24 | len(payload)) + payload


def _number(payload: bytes) -> int:
    return int(struct.unpack_from("!I", payload)[0]) & 0x7FFFFFFF


def _text(data: bytes, position: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("!I", data, position)
    end = position + 4 + length
    if end > len(data):
        raise SpdyError("headers are cut off")
    return data[position + 4 : end].decode("latin-1"), end
