"""The encoding that protobuf messages are made of: varints, tags, and lengths. Knows no message."""

from __future__ import annotations

import struct
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

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
    raise ProtobufError("a varint is cut off or too long")


def decode_signed(data: bytes, position: int) -> tuple[int, int]:
    """The same as a signed integer."""
    value, position = decode_varint(data, position)
    return (value - (1 << 64) if value >> 63 else value), position


def encode_double(value: float) -> bytes:
    return _DOUBLE.pack(value)


def decode_double(data: bytes, position: int) -> tuple[float, int]:
    if position + _DOUBLE.size > len(data):
        raise ProtobufError("a double is cut off")
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
        raise ProtobufError(f"a field of {length} bytes is cut off")
    return start, end


def skip_field(data: bytes, position: int, tag: int) -> int:
    """The position behind the value of a field that nobody knows; groups, long gone, are refused."""
    wire_type = tag & 7
    if wire_type == VARINT:
        return decode_varint(data, position)[1]
    if wire_type == LENGTH:
        return decode_length(data, position)[1]
    if wire_type not in (FIXED32, FIXED64):
        raise ProtobufError(f"unknown wire type {wire_type}")
    end = position + (8 if wire_type == FIXED64 else 4)
    if end > len(data):
        raise ProtobufError("a field is cut off")
    return end


def delimited_fields(data: bytes, position: int, end: int) -> dict[int, tuple[int, int]]:
    """Where the length-delimited fields of a message lie, by number; of several with one number the last counts."""
    found: dict[int, tuple[int, int]] = {}
    while position < end:
        tag, position = decode_varint(data, position)
        if tag & 7 == LENGTH:
            start, position = decode_length(data, position)
            found[tag >> 3] = start, position
        else:
            position = skip_field(data, position, tag)
    if position != end:
        raise ProtobufError("a message is cut off")
    return found
