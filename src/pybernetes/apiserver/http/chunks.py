"""The chunked transfer coding (RFC 9112, section 7.1), with the limits and the words of Go's server."""

from __future__ import annotations

import re
from typing import Final

MAX_LINE: Final = 4096
FREE_BYTES: Final = 16
"""Of each chunk, that need not be data."""
MAX_OVERHEAD: Final = 16 << 10
"""Bytes beyond those and beyond twice the data: extensions that never end cost more than they bring."""
MAX_DIGITS: Final = 16
LONG_TRAILER: Final = "http: suspiciously long trailer after chunked body"

_BLANKS: Final = b" \t"
_HEX: Final = re.compile(rb"[0-9A-Fa-f]*").fullmatch
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n").match
"""What nearly every chunk begins with."""
_TRAILER: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n").fullmatch


class ChunkError(Exception):
    """What comes is no chunk, in the server's words."""


class Chunks:
    """Gives the data of a body whose chunks come in pieces."""

    def __init__(self) -> None:
        self._rest = b""
        """The beginning of a line that has no end yet."""
        self._left = 0
        """Of the chunk that comes, with the line end behind it; 0 before a size."""
        self._overhead = 0
        self._in_trailer = False
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """The body's next pieces, and what lies behind its end (None before that). Raises ChunkError."""
        pieces: list[bytes] = []
        data, self._rest = self._rest + data, b""
        position, size = 0, len(data)
        while position < size:
            if self._left:
                position = self._take(data, position, pieces)
                continue
            match = None if self._in_trailer else _SIZE(data, position)
            if match is not None:
                end, length = match.end(), int(match[1], 16)
                self._count(end - position, length)
            else:
                end = _line_end(data, position, LONG_TRAILER if self._in_trailer else "header line too long")
                if not end:
                    self._rest = data[position:]
                    break
                if self._in_trailer:
                    if data[position:end] == b"\r\n":
                        return pieces, data[end:]
                    self._check_trailer(data[position:end])
                    position = end
                    continue
                length = _size(data[position:end])
                self._count(end - position, length)
            position = end
            self._in_trailer = not length
            self._left = length + 2 if length else 0
        return pieces, None

    def _take(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        """What is there of a chunk; the position behind it."""
        of_data = self._left - 2
        if of_data > 0:
            piece = data[position : position + of_data]
            pieces.append(piece)
            self._left -= len(piece)
            position += len(piece)
        ending = data[position : position + self._left] if self._left <= 2 else b""
        if ending and ending != b"\r\n"[2 - self._left :][: len(ending)]:
            raise ChunkError("malformed chunked encoding")
        self._left -= len(ending)
        return position + len(ending)

    def _count(self, line: int, length: int) -> None:
        self._overhead = max(0, self._overhead + line + 2 - FREE_BYTES - 2 * length)
        if self._overhead > MAX_OVERHEAD:
            raise ChunkError("chunked encoding contains too much non-data")

    def _check_trailer(self, line: bytes) -> None:
        """Fields behind the body are read over: nobody asks for them."""
        self._trailer_bytes += len(line)
        if self._trailer_bytes > MAX_LINE:
            raise ChunkError(LONG_TRAILER)
        if not _TRAILER(line):
            raise ChunkError(f'malformed MIME header: missing colon: "{line.strip().decode("latin-1")}"')


def _line_end(data: bytes, start: int, too_long: str) -> int:
    """Where the line ends; 0 if it has no end yet. Raises ChunkError."""
    end = data.find(b"\n", start)
    length = (len(data) if end < 0 else end + 1) - start
    if length > MAX_LINE:
        raise ChunkError(too_long)
    if end < 0:
        return 0
    carriage = data.find(b"\r", start, end)
    if carriage < 0:
        raise ChunkError("chunked line ends with bare LF")
    if carriage != end - 1:
        raise ChunkError("invalid CR in chunked line")
    return end + 1


def _size(line: bytes) -> int:
    """Of a chunk, whose extensions are nobody's. Raises ChunkError."""
    digits = line.rstrip(b" \t\r\n").partition(b";")[0]
    if not digits:
        raise ChunkError("empty hex number for chunk length")
    if not _HEX(digits):
        raise ChunkError("invalid byte in chunk length")
    if len(digits) > MAX_DIGITS:
        raise ChunkError("http chunk length too large")
    return int(digits, 16)
