"""Netlink messages (RFC 3549): headers, attributes and acknowledgements. Values in host byte order unless said."""

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

REQUEST, ACK, EXCL, CREATE, APPEND, DUMP = 0x1, 0x4, 0x200, 0x400, 0x800, 0x300
ERROR, DONE = 2, 3
NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


class Message(NamedTuple):
    """One received message, without its header."""

    kind: int
    sequence: int
    body: bytes


def attribute(kind: int, value: bytes) -> bytes:
    """Type, length, value, padded to four bytes."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind | NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """A string with its terminator."""
    return attribute(kind, value.encode() + b"\0")


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, bytes((value,)))


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def be32(kind: int, value: int) -> bytes:
    """In network byte order, as nftables has its numbers."""
    return attribute(kind, struct.pack("!I", value))


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram."""
    while len(data) >= _HEADER.size:
        length, kind, _, sequence, _ = _HEADER.unpack_from(data)
        if length < _HEADER.size:
            return
        yield Message(kind, sequence, data[_HEADER.size : length])
        data = data[length + -length % 4 :]


def error_of(message: Message) -> OSError | None:
    """What an ERROR message reports; None if it is an acknowledgement."""
    (code,) = struct.unpack_from("=i", message.body)
    return OSError(-code, os.strerror(-code)) if code else None


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes by type, the flag bits removed."""
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = data[_ATTRIBUTE.size : length]
        data = data[length + -length % 4 :]
    return found
