"""Converters of scalars: the canonical value, or `Mismatch` for a wrong JSON type, `DecodeError` for a wrong text."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Protocol

from pybernetes.api.decode.base64 import canonical_base64
from pybernetes.api.decode.errors import DecodeError, Illegal, Mismatch, json_type
from pybernetes.api.quantity import FORMAT_WRONG, canonical
from pybernetes.api.schema import Kind, Schema
from pybernetes.api.time import canonical_micro_time, canonical_time


class Convert(Protocol):
    """Takes a value that is not None, the list that unknown fields are noted in, and what stood in the value's place.

    What is the very same object as a part of `known` has been converted before, and is taken as it is.
    """

    def __call__(self, value: Any, notes: list[str], known: Any = None, /) -> Any: ...


_BOUNDS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


def scalar(node: Schema) -> Convert:
    """The converter of a node that is no object, map or list."""
    if node.kind is Kind.INTEGER:
        return _integer(node.format)
    if node.kind is Kind.STRING:
        return _STRINGS.get(node.format, _string)
    return _CONVERTERS[node.kind]


def zero(node: Schema) -> Any:
    """What Go has for a scalar that nothing was decoded into, as it is encoded."""
    if node.kind is Kind.STRING:
        return None if node.format not in ("", "byte") else ""
    return {Kind.INTEGER: 0, Kind.NUMBER: 0, Kind.BOOLEAN: False, Kind.QUANTITY: "0", Kind.INT_OR_STRING: 0}.get(
        node.kind
    )


def _string(value: Any, notes: list[str], known: Any = None) -> Any:
    if value.__class__ is not str:
        raise Mismatch(json_type(value), "string")
    return value


def _integer(width: str) -> Convert:
    low, high = _BOUNDS.get(width, _BOUNDS["int64"])
    wanted = width or "int64"

    def convert(value: Any, notes: list[str], known: Any = None) -> Any:
        if value.__class__ is not int:
            raise Mismatch(_number_or_type(value), wanted)
        if not low <= value <= high:
            raise Mismatch(f"number {value}", wanted)
        return value

    return convert


def _number_or_type(value: Any) -> str:
    return f"number {value!r}" if isinstance(value, float) else json_type(value)


def _number(value: Any, notes: list[str], known: Any = None) -> Any:
    if value.__class__ is not int and value.__class__ is not float:
        raise Mismatch(json_type(value), "float64")
    return value


def _boolean(value: Any, notes: list[str], known: Any = None) -> Any:
    if value.__class__ is not bool:
        raise Mismatch(json_type(value), "bool")
    return value


def _quantity(value: Any, notes: list[str], known: Any = None) -> Any:
    if value.__class__ not in (str, int, float):
        raise DecodeError(FORMAT_WRONG)
    try:
        return canonical(value.strip() if value.__class__ is str else value)
    except ValueError as error:
        raise DecodeError(str(error)) from None


def _int_or_string(value: Any, notes: list[str], known: Any = None) -> Any:
    if value.__class__ is str:
        return value
    if value.__class__ is not int:
        raise Mismatch(_number_or_type(value), "int32", final=True)
    low, high = _BOUNDS["int32"]
    if not low <= value <= high:
        raise Mismatch(f"number {value}", "int32", final=True)
    return value


def _bytes(value: Any, notes: list[str], known: Any = None) -> Any:
    """Bytes are base64, or the list of their numbers."""
    if value.__class__ is list:
        return base64.b64encode(bytes([_byte(item) for item in value])).decode()
    if value.__class__ is not str:
        raise Mismatch(json_type(value), "[]uint8")
    try:
        return canonical_base64(value)
    except ValueError as error:
        raise Illegal(str(error)) from None


def _byte(value: Any) -> int:
    if value is None:
        return 0
    if value.__class__ is not int:
        raise Mismatch(_number_or_type(value), "uint8")
    if not 0 <= value <= 255:
        raise Mismatch(f"number {value}", "uint8")
    return int(value)


def _moment(read: Callable[[str], str]) -> Convert:
    """A time; the one that Go begins with stands for none."""

    def convert(value: Any, notes: list[str], known: Any = None) -> Any:
        if value.__class__ is not str:
            raise Mismatch(json_type(value), "string", final=True)
        try:
            found = read(value)
        except ValueError as error:
            raise DecodeError(str(error)) from None
        return None if found in _NO_TIME else found

    return convert


_NO_TIME = ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z")
_STRINGS: dict[str, Convert] = {
    "byte": _bytes,
    "date-time": _moment(canonical_time),
    "micro-time": _moment(canonical_micro_time),
}
_CONVERTERS: dict[Kind, Convert] = {
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.QUANTITY: _quantity,
    Kind.INT_OR_STRING: _int_or_string,
    Kind.ANY: lambda value, notes, known=None: value,
}
