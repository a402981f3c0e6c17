"""Protobuf messages as Structs: a message's fields are numbered in `FIELDS`, so that no code has to be generated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import msgspec

from pybernetes.wire.protobuf import (
    LENGTH,
    VARINT,
    decode_length,
    decode_signed,
    decode_varint,
    delimited,
    encode_tag,
    encode_varint,
    skip_field,
)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base: scalars default to proto3's zero values, which are not sent; messages that are not there are None."""

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {}
    """Number -> attribute and kind: int (also for enums), bool, bytes, str, a Message class; [kind] for repeated ones,
    {key kind: kind} for maps."""

    def encode(self) -> bytes:
        out = bytearray()
        for number, (name, kind) in self.FIELDS.items():
            value = getattr(self, name)
            if isinstance(kind, list):
                _write_all(out, number, kind[0], value)
            elif isinstance(kind, dict):
                for entry in value.items():
                    out += encode_tag(number, LENGTH) + delimited(_encode_entry(kind, *entry))
            elif value or (value is not None and not _is_scalar(kind)):
                _write(out, number, kind, value)
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises ValueError for malformed data; unknown fields are skipped."""
        values: dict[str, Any] = {}
        for number, raw in _fields(data):
            if number not in cls.FIELDS:
                continue
            name, kind = cls.FIELDS[number]
            where = f"field {number} of {cls.__name__}"
            if isinstance(kind, list):
                values.setdefault(name, []).extend(_read_all(kind[0], raw, where))
            elif isinstance(kind, dict):
                key, value = _decode_entry(kind, raw, where)
                values.setdefault(name, {})[key] = value
            else:
                values[name] = _read(kind, raw, where)
        return cls(**values)


def _is_scalar(kind: Any) -> bool:
    return kind in (int, bool, bytes, str)


def _write(out: bytearray, number: int, kind: Any, value: Any) -> None:
    if kind in (int, bool):
        out += encode_tag(number, VARINT) + encode_varint(int(value))
    else:
        data = value if kind is bytes else value.encode()
        out += encode_tag(number, LENGTH) + delimited(data)


def _write_all(out: bytearray, number: int, kind: Any, values: Any) -> None:
    """Numbers are packed, as proto3 has them."""
    if kind in (int, bool):
        if values:
            out += encode_tag(number, LENGTH) + delimited(b"".join(encode_varint(int(value)) for value in values))
        return
    for value in values:
        _write(out, number, kind, value)


def _read(kind: Any, raw: int | bytes, where: str) -> Any:
    if kind in (int, bool):
        if isinstance(raw, int):
            return kind(raw)
    elif isinstance(raw, bytes):
        return raw.decode() if kind is str else raw if kind is bytes else kind.decode(raw)
    raise ValueError(f"{where} has another type")


def _read_all(kind: Any, raw: int | bytes, where: str) -> list[Any]:
    """What one occurrence of a repeated field has: one value, or packed numbers."""
    if kind not in (int, bool) or isinstance(raw, int):
        return [_read(kind, raw, where)]
    found, position = [], 0
    while position < len(raw):
        value, position = decode_signed(raw, position)
        found.append(kind(value))
    return found


def _encode_entry(kinds: dict[Any, Any], key: Any, value: Any) -> bytes:
    """An entry of a map is a message of two fields."""
    ((key_kind, kind),) = kinds.items()
    out = bytearray()
    _write(out, 1, key_kind, key)
    _write(out, 2, kind, value)
    return bytes(out)


def _decode_entry(kinds: dict[Any, Any], raw: int | bytes, where: str) -> tuple[Any, Any]:
    ((key_kind, kind),) = kinds.items()
    if not isinstance(raw, bytes):
        raise ValueError(f"{where} has another type")
    key, value = key_kind(), kind()
    for number, part in _fields(raw):
        if number == 1:
            key = _read(key_kind, part, where)
        elif number == 2:
            value = _read(kind, part, where)
    return key, value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(data):
        tag, position = decode_varint(data, position)
        if tag & 7 == VARINT:
            value, position = decode_signed(data, position)
            yield tag >> 3, value
        elif tag & 7 == LENGTH:
            start, position = decode_length(data, position)
            yield tag >> 3, data[start:position]
        else:
            position = skip_field(data, position, tag)
