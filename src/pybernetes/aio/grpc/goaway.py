"""Frames by which a server says that it takes no more calls (GOAWAY; RFC 9113, section 6.8).

`h2` takes one for the end of the connection, and refuses the answers that are still to come; so they are kept from it.
"""

from __future__ import annotations

from collections.abc import Iterator

_GOAWAY = 7
_HEAD = 9


class Sieve:
    """Takes bytes as they come."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes | int]:
        """Whole frames, several at once, as they are; for each GOAWAY the number of the last call that is answered."""
        self._data += data
        start = position = 0
        while (end := self._end(position)) is not None:
            if self._data[position + 3] == _GOAWAY:
                if position > start:
                    yield bytes(self._data[start:position])
                yield int.from_bytes(self._data[position + _HEAD : position + _HEAD + 4]) & 0x7FFFFFFF
                start = end
            position = end
        if position > start:
            yield bytes(self._data[start:position])
        del self._data[:position]

    def _end(self, position: int) -> int | None:
        """Where the frame at a position ends, if all of it is there."""
        if len(self._data) < position + _HEAD:
            return None
        end = position + _HEAD + int.from_bytes(self._data[position : position + 3])
        return end if end <= len(self._data) else None
