"""Frames: a length (4 bytes, big-endian) and a msgpack array.

To the server: `[id, method, [arguments]]`, or `[id, "cancel", []]` to end a stream. From it: `[id, kind,
value]` with the kinds of `Kind`. The methods are those of the Protocols, and so are the types of what travels.
"""

import asyncio
import struct
from enum import IntEnum

import msgspec

_LENGTH = struct.Struct("!I")
_LIMIT = 64 << 20
CANCEL = "cancel"


class Kind(IntEnum):
    """What an answer is."""

    RESULT = 0
    ERROR = 1
    ITEM = 2
    END = 3


class Request(msgspec.Struct, array_like=True):
    """A call; its arguments stay encoded until the method is known."""

    id: int
    method: str
    arguments: msgspec.Raw


class Answer(msgspec.Struct, array_like=True):
    """A result, an error (class name and message), or a part of a stream."""

    id: int
    kind: Kind
    value: msgspec.Raw


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame's content. Raises IncompleteReadError at the end, ConnectionError if it is no frame."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _LIMIT:
        raise ConnectionError(f"a frame of {length} bytes")
    return await reader.readexactly(length)


def frame(message: object) -> bytes:
    """A message, ready to be sent."""
    data = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(data)) + data
