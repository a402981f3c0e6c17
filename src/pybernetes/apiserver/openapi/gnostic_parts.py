"""What messages of either OpenAPI in protobuf are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from pybernetes.api.tree import Tree
from pybernetes.wire.protobuf import FIXED64, LENGTH, VARINT, delimited, encode_double, encode_tag, encode_varint

Encode: TypeAlias = Callable[[Any], bytes]


def extensions(number: int, node: Tree) -> bytes:
    return named(number, {key: value for key, value in node.items() if key.startswith("x-")}, any_value)


def any_value(value: Any) -> bytes:
    """A value as YAML, which JSON is."""
    return text(2, msgspec.json.encode(value).decode())


def named(number: int, values: Mapping[str, Any], encode: Encode) -> bytes:
    """A map, as a list of pairs of name and value."""
    return b"".join(message(number, text(1, name) + message(2, encode(one))) for name, one in values.items())


def texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(text(number, value) for value in values)


def text(number: int, value: str) -> bytes:
    return encode_tag(number, LENGTH) + delimited(value.encode()) if value else b""


def flag(number: int, value: bool) -> bytes:
    return encode_tag(number, VARINT) + b"\x01" if value else b""


def message(number: int, payload: bytes) -> bytes:
    return encode_tag(number, LENGTH) + delimited(payload)


def integer(number: int, value: int) -> bytes:
    return encode_tag(number, VARINT) + encode_varint(value)


def double(number: int, value: float) -> bytes:
    return encode_tag(number, FIXED64) + encode_double(value)
