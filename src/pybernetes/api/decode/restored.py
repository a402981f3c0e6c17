"""Objects that upstream makes of values, not of JSON text: its converter has words and leniency of its own.

Strategic merge patches and applied configurations go through it (`runtime.DefaultUnstructuredConverter`). Types with a
JSON form of their own (quantities, times, values that are numbers or strings) are still read as JSON.
"""

from __future__ import annotations

from typing import Any, Final

from pybernetes.api.decode.errors import DecodeError, Illegal, Mismatch
from pybernetes.api.decode.scalars import scalar
from pybernetes.api.patch.go_text import type_name
from pybernetes.api.schema import Kind, Presence, Schema, presence

_BASIC: Final = {Kind.STRING: "string", Kind.BOOLEAN: "bool", Kind.NUMBER: "float64"}
_WIDTHS: Final = {"int32": 32}


def restored(node: Schema, value: Any) -> Any:
    """The value with its whole numbers as the integers that are wanted; DecodeError, in the converter's words.

    For what a decoder has refused: who sends what fits never comes here.
    """
    return _restored(node, value, "")


def _restored(node: Schema, value: Any, named: str) -> Any:
    if value is None:
        return None
    if node.kind is Kind.OBJECT and node.properties:
        return _struct(node, value)
    if node.kind is Kind.LIST:
        if not isinstance(value, list):
            raise DecodeError(f"cannot restore slice from {_kind(value)}")
        return value if node.items is None else [_restored(node.items, item, named) for item in value]
    if node.kind in (Kind.MAP, Kind.OBJECT):
        if not isinstance(value, dict):
            raise DecodeError(f"cannot restore map from {_kind(value)}")
        return value if node.items is None else {k: _restored(node.items, v, named) for k, v in value.items()}
    if node.kind is Kind.STRING and node.format == "byte":
        return _bytes(node, value)
    if node.kind is Kind.INTEGER or (node.kind in _BASIC and not node.format):
        return _basic(node, value, named)
    try:
        scalar(node)(value, [])
    except Mismatch as mismatch:
        raise DecodeError(mismatch.message()) from None
    return value


def _struct(node: Schema, value: Any) -> Any:
    if not isinstance(value, dict):
        raise DecodeError(f"cannot restore struct from: {_kind(value)}")
    types = (presence().get(node.definition) or Presence()).types
    out = dict(value)
    for name, child in node.properties.items():
        if name in value:
            out[name] = _restored(child, value[name], types.get(name, ""))
    return out


def _bytes(node: Schema, value: Any) -> Any:
    if not isinstance(value, str):
        raise DecodeError(f"cannot restore slice from {_kind(value)}")
    try:
        scalar(node)(value, [])
    except Illegal as error:
        raise DecodeError(f"error decoding from json: {error.message()}") from None
    return value


def _basic(node: Schema, value: Any, named: str) -> Any:
    """Go converts between numbers, and an integer to a string would be a character: that it refuses by name."""
    has, wants = _kind(value), node.format or "int64" if node.kind is Kind.INTEGER else _BASIC[node.kind]
    if has == wants:
        return value
    numeric = has in ("int64", "float64")
    if numeric and wants == "float64":
        return value
    if numeric and node.kind is Kind.INTEGER and value == int(value):
        width = _WIDTHS.get(wants, 64)
        whole = int(value) & ((1 << width) - 1)
        return whole - (1 << width) if whole >> (width - 1) else whole
    if (numeric and node.kind is Kind.INTEGER) or (has == "int64" and wants == "string"):
        element = named.removeprefix("[]").removeprefix("map[string]")
        raise DecodeError(f"cannot convert {has} to {element or wants}")
    raise DecodeError(f"unrecognized type: {wants}")


def _kind(value: Any) -> str:
    """Go's kind of a value that came out of JSON."""
    if isinstance(value, dict):
        return "map"
    return "slice" if isinstance(value, list) else type_name(value)
