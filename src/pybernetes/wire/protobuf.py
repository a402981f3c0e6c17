"""The encoding that protobuf messages are made of: varints, tags, and lengths. Knows no message.

Bytes that are no message are refused in the words of the code that upstream generates.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5
_GROUP: Final = 3
_GROUP_END: Final = 4

_ENDED: Final = "unexpected EOF"
_NEGATIVE: Final = "proto: negative length found during unmarshaling"
_MAX_VARINT_BYTES: Final = 10
_MASK: Final = (1 << 64) - 1
_DOUBLE: Final = struct.Struct("<d")


class ProtobufError(ValueError):
    """Bytes that are no message."""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL: Final = tuple(_varint(value) for value in range(1 << 12))


def encode_varint(value: int) -> bytes:
    """An integer of at most 64 bits; a negative one is its two's complement, as int32 and int64 have it."""
    if 0 <= value < len(_SMALL):
        return _SMALL[value]
    return _varint(value & _MASK)


def decode_varint(data: bytes, position: int) -> tuple[int, int]:
    """The unsigned integer at a position, and the position behind it."""
    if position < len(data) and (first := data[position]) < 0x80:
        return first, position + 1
    value = shift = 0
    for end in range(position, min(position + _MAX_VARINT_BYTES, len(data))):
        byte = data[end]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, end + 1
        shift += 7
    raise ProtobufError("proto: integer overflow" if position + _MAX_VARINT_BYTES <= len(data) else _ENDED)


def decode_signed(data: bytes, position: int) -> tuple[int, int]:
    """The same as a signed integer."""
    value, position = decode_varint(data, position)
    return (value - (1 << 64) if value >> 63 else value), position


def encode_double(value: float) -> bytes:
    return _DOUBLE.pack(value)


def decode_double(data: bytes, position: int) -> tuple[float, int]:
    if position + _DOUBLE.size > len(data):
        raise ProtobufError(_ENDED)
    return _DOUBLE.unpack_from(data, position)[0], position + _DOUBLE.size


def encode_tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def delimited(payload: bytes) -> bytes:
    """The payload behind its length."""
    return encode_varint(len(payload)) + payload


def decode_length(data: bytes, position: int) -> tuple[int, int]:
    """Where a length-delimited payload starts and ends."""
    size = len(data)
    if position < size and (length := data[position]) < 0x80:  # nearly always
        start = position + 1
    else:
        length, start = decode_varint(data, position)
    end = start + length
    if end > size:
        raise ProtobufError(_NEGATIVE if end >> 63 else _ENDED)
    return start, end


def skip_field(data: bytes, position: int, tag: int) -> int:
    """The position behind the value of a field that nobody knows, be it a group, which nobody has written for long."""
    wire_type = tag & 7
    if wire_type == VARINT:
        return decode_varint(data, position)[1]
    if wire_type == LENGTH:
        return decode_length(data, position)[1]
    if wire_type == _GROUP:
        return _skip_group(data, position)
    if wire_type not in (FIXED32, FIXED64):
        raise ProtobufError(f"proto: illegal wireType {wire_type}")
    end = position + (8 if wire_type == FIXED64 else 4)
    if end > len(data):
        raise ProtobufError(_ENDED)
    return end


def _skip_group(data: bytes, position: int) -> int:
    open_groups = 1
    while open_groups:
        tag, position = decode_varint(data, position)
        if tag & 7 in (_GROUP, _GROUP_END):
            open_groups += 1 if tag & 7 == _GROUP else -1
        else:
            position = skip_field(data, position, tag)
    return position


def unread_field(data: bytes, position: int, tag: int, message: str, known: Mapping[int, str]) -> int:
    """The position behind a field that a message does not read. Raises ProtobufError for one that no message may have.

    `known`: the fields that the message has, by number; their values are of another wire type than this one.
    """
    number, wire_type = tag >> 3 & 0xFFFFFFFF, tag & 7
    if wire_type == _GROUP_END:
        raise ProtobufError(f"proto: {message}: wiretype end group for non-group")
    if number == 0 or number >> 31:
        raise ProtobufError(f"proto: {message}: illegal tag {number - (number >> 31 << 32)} (wire type {tag})")
    if number in known:
        raise ProtobufError(f"proto: wrong wireType = {wire_type} for field {known[number]}")
    return skip_field(data, position, tag)


def check_end(position: int, end: int) -> None:
    """The last field of a message ends where the message does. Raises ProtobufError."""
    if position != end:
        raise ProtobufError(_ENDED)


def delimited_fields(
    data: bytes, position: int, end: int, message: str = "", known: Mapping[int, str] | None = None
) -> dict[int, tuple[int, int]]:
    """Where the length-delimited fields of a message lie, by number; of several with one number the last counts."""
    found: dict[int, tuple[int, int]] = {}
    while position < end:
        tag, position = decode_varint(data, position)
        if tag & 7 == LENGTH and tag >> 3:
            start, position = decode_length(data, position)
            found[tag >> 3] = start, position
        else:
            position = unread_field(data, position, tag, message, known or {})
    check_end(position, end)
    return found
