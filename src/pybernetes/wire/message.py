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
    """Base: scalars default to proto3's zero values, which are not sent."""

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {}
    """Number -> attribute and kind: int, bool, bytes, str, a Message class, or [Message class] for repeated ones."""

    def encode(self) -> bytes:
        out = bytearray()
        for number, (name, kind) in self.FIELDS.items():
            value = getattr(self, name)
            for one in value if isinstance(kind, list) else [value]:
                _write(out, number, kind[0] if isinstance(kind, list) else kind, one)
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises ValueError for malformed data; unknown fields are skipped."""
        values: dict[str, Any] = {}
        for number, raw in _fields(data):
            if number not in cls.FIELDS:
                continue
            name, kind = cls.FIELDS[number]
            wanted = int if kind in (int, bool) else bytes
            if not isinstance(raw, wanted):
                raise ValueError(f"field {number} of {cls.__name__} has another type")
            if isinstance(kind, list):
                values.setdefault(name, []).append(kind[0].decode(raw))
            elif isinstance(raw, bytes) and kind is str:
                values[name] = raw.decode()
            else:
                values[name] = kind(raw) if kind in (int, bool, bytes) else kind.decode(raw)
        return cls(**values)


def _write(out: bytearray, number: int, kind: Any, value: Any) -> None:
    if kind in (int, bool):
        if value:
            out += encode_tag(number, VARINT) + encode_varint(int(value))
        return
    if value is None or (kind in (bytes, str) and not value):
        return
    data = value if kind is bytes else value.encode()
    out += encode_tag(number, LENGTH) + delimited(data)


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
