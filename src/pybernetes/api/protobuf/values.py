"""Values of one field: scalars, and the messages whose JSON is not an object of the message's fields."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from pybernetes.api.json_text import read_json
from pybernetes.api.time import format_micro_time, format_time
from pybernetes.wire.protobuf import (
    FIXED64,
    LENGTH,
    VARINT,
    ProtobufError,
    check_end,
    decode_double,
    decode_length,
    decode_signed,
    decode_varint,
    delimited,
    encode_double,
    encode_varint,
    skip_field,
)

Write: TypeAlias = Callable[[Any], bytes]
"""The bytes of a value behind its tag, its length included. The value has the JSON type of the field, or is None."""

Read: TypeAlias = "Callable[[bytes, int], tuple[Any, int]]"
"""The JSON value at a position, and the position behind it."""


class ValueCodec(Struct, frozen=True):
    """One type of value. `zero` is what an unset field of it holds in JSON (None for a message)."""

    wire_type: int
    write: Write
    read: Read
    zero: Any = None


def _write_string(value: Any) -> bytes:
    data = value.encode("utf-8", "surrogatepass") if value else b""
    return encode_varint(len(data)) + data


def _read_string(data: bytes, position: int) -> tuple[Any, int]:
    start, end = decode_length(data, position)
    return data[start:end].decode("utf-8", "replace"), end


def _write_bytes(value: Any) -> bytes:
    try:
        return delimited(base64.b64decode(value or "", validate=True))
    except binascii.Error as error:
        raise ProtobufError(f"illegal base64 data: {error}") from error


def _read_bytes(data: bytes, position: int) -> tuple[Any, int]:
    start, end = decode_length(data, position)
    return base64.b64encode(data[start:end]).decode(), end


def _read_bool(data: bytes, position: int) -> tuple[Any, int]:
    value, end = decode_varint(data, position)
    return value != 0, end


def _read_int32(data: bytes, position: int) -> tuple[Any, int]:
    value, end = decode_varint(data, position)
    value &= 0xFFFFFFFF
    return (value - (1 << 32) if value >> 31 else value), end


def _write_integer(value: Any) -> bytes:
    return encode_varint(int(value or 0))


SCALARS: Final = {
    "string": ValueCodec(LENGTH, _write_string, _read_string, ""),
    "bytes": ValueCodec(LENGTH, _write_bytes, _read_bytes, ""),
    "bool": ValueCodec(VARINT, lambda value: b"\x01" if value else b"\x00", _read_bool, False),
    "int32": ValueCodec(VARINT, _write_integer, _read_int32, 0),
    "int64": ValueCodec(VARINT, _write_integer, decode_signed, 0),
    "double": ValueCodec(FIXED64, lambda value: encode_double(float(value or 0)), decode_double, 0),
}


# -- messages with a JSON form of their own


class _Parts(Struct, frozen=True):
    """The fields of a small message by number; of an integer that stands twice the last counts."""

    integers: dict[int, int]
    payloads: dict[int, list[bytes]]

    def integer(self, number: int) -> int:
        return self.integers.get(number, 0)

    def payload(self, number: int) -> bytes:
        """The last of a string or message."""
        found = self.payloads.get(number)
        return found[-1] if found else b""


def _parts(data: bytes, position: int) -> tuple[_Parts, int]:
    position, end = decode_length(data, position)
    found = _Parts({}, {})
    while position < end:
        tag, position = decode_varint(data, position)
        if tag & 7 == VARINT:
            found.integers[tag >> 3], position = decode_signed(data, position)
        elif tag & 7 == LENGTH:
            start, position = decode_length(data, position)
            found.payloads.setdefault(tag >> 3, []).append(data[start:position])
        else:
            position = skip_field(data, position, tag)
    check_end(position, end)
    return found, end


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ProtobufError(f"no time: {text!r}") from error


def _write_time(value: Any) -> bytes:
    if not value:
        return b"\x00"
    return delimited(b"\x08" + encode_varint(int(_moment(value).timestamp())) + b"\x10\x00")


def _write_micro_time(value: Any) -> bytes:
    if not value:
        return b"\x00"
    moment = _moment(value)
    seconds = int(moment.replace(microsecond=0).timestamp())
    return delimited(b"\x08" + encode_varint(seconds) + b"\x10" + encode_varint(moment.microsecond * 1000))


def _read_time(data: bytes, position: int) -> tuple[Any, int]:
    found, end = _parts(data, position)
    return (format_time(_in_range(found.integer(1))) if found.integers else None), end


def _read_micro_time(data: bytes, position: int) -> tuple[Any, int]:
    found, end = _parts(data, position)
    if not found.integers:
        return None, end
    base = format_micro_time(_in_range(found.integer(1)))
    return f"{base[:-7]}{found.integer(2) // 1000 % 1_000_000:06}Z", end


def _in_range(seconds: int) -> int:
    if not -62135596800 <= seconds <= 253402300799:
        raise ProtobufError(f"a time of {seconds} seconds is none of years 1 to 9999")
    return seconds


def _write_quantity(value: Any) -> bytes:
    text = ("0" if value is None else str(value)).encode()
    return delimited(b"\x0a" + delimited(text))


def _read_quantity(data: bytes, position: int) -> tuple[Any, int]:
    found, end = _parts(data, position)
    return found.payload(1).decode("utf-8", "replace") or "0", end


def _write_int_or_string(value: Any) -> bytes:
    if isinstance(value, str):
        return delimited(b"\x08\x01\x10\x00\x1a" + _write_string(value))
    return delimited(b"\x08\x00\x10" + encode_varint(int(value or 0)) + b"\x1a\x00")


def _read_int_or_string(data: bytes, position: int) -> tuple[Any, int]:
    found, end = _parts(data, position)
    return (found.payload(3).decode("utf-8", "replace") if found.integer(1) else found.integer(2)), end


def _write_raw(value: Any) -> bytes:
    """RawExtension, FieldsV1, JSON: the value's JSON in field 1."""
    return b"\x00" if value is None else delimited(b"\x0a" + delimited(msgspec.json.encode(value)))


def _read_raw(data: bytes, position: int) -> tuple[Any, int]:
    found, end = _parts(data, position)
    raw = found.payload(1)
    if not raw:
        return None, end
    try:
        return read_json(raw), end
    except ValueError as error:
        raise ProtobufError("a raw extension holds no JSON") from error


def _write_strings(value: Any) -> bytes:
    """Verbs, ExtraValue: a list of strings that is a message."""
    return delimited(b"".join(b"\x0a" + _write_string(item) for item in value or ()))


def _read_strings(data: bytes, position: int) -> tuple[Any, int]:
    found, end = _parts(data, position)
    return [item.decode("utf-8", "replace") for item in found.payloads.get(1, ())], end


_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_NANOS: Final = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 1000, "µs": 1000, "ns": 1}


def _write_duration(value: Any) -> bytes:
    nanos = sum(round(float(number) * _NANOS[unit]) for number, unit in _DURATION.findall(value or ""))
    return delimited(b"\x08" + encode_varint(-nanos if (value or "").startswith("-") else nanos))


def _read_duration(data: bytes, position: int) -> tuple[Any, int]:
    found, end = _parts(data, position)
    nanos = found.integer(1)
    seconds, rest = divmod(abs(nanos), 10**9)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{seconds}.{rest:09}".rstrip("0").rstrip(".") + "s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return ("-" if nanos < 0 else "") + (f"{hours}h{text}" if hours else text), end


_RAW: Final = ValueCodec(LENGTH, _write_raw, _read_raw)
_STRINGS: Final = ValueCodec(LENGTH, _write_strings, _read_strings)

SPECIAL: Final = {
    "Time": ValueCodec(LENGTH, _write_time, _read_time),
    "MicroTime": ValueCodec(LENGTH, _write_micro_time, _read_micro_time),
    "Quantity": ValueCodec(LENGTH, _write_quantity, _read_quantity),
    "IntOrString": ValueCodec(LENGTH, _write_int_or_string, _read_int_or_string),
    "Duration": ValueCodec(LENGTH, _write_duration, _read_duration),
    "RawExtension": _RAW,
    "FieldsV1": _RAW,
    "JSON": _RAW,
    "Verbs": _STRINGS,
    "ExtraValue": _STRINGS,
}
"""By the last part of the message's name."""
