"""Conversions between types, and what timestamps and durations consist of."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, Overload, function, method, walks
from pybernetes.api.cel.types import BOOL, BYTES, DOUBLE, DURATION, INT, NULL, STRING, TIMESTAMP, UINT, A, Type, type_of
from pybernetes.api.cel.values import (
    INT_MAX,
    INT_MIN,
    SECOND,
    UINT_MAX,
    Duration,
    Optional,
    Timestamp,
    Uint,
    checked_int,
    checked_timestamp,
    checked_uint,
    parse_duration,
    parse_timestamp,
    zone_of,
)

_PLAIN_DIGITS: Final = 6
"""Doubles with more digits before the point are written with an exponent."""


def _failed(source: str, target: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from '{source}' to '{target}'")


def _int_of_text(text: str) -> int:
    body = text[1:] if text[:1] in ("-", "+") else text
    if not (body.isascii() and body.isdigit()) or not INT_MIN <= int(text) <= INT_MAX:
        raise _failed("string", "int")
    return int(text)


def _uint_of_text(text: str) -> Uint:
    if not (text.isascii() and text.isdigit()) or int(text) > UINT_MAX:
        raise _failed("string", "uint")
    return Uint(text)


def _double_of_text(text: str) -> float:
    try:
        found = float(text)
        if "_" in text or text != text.strip() or (math.isinf(found) and any(map(str.isdigit, text))):
            raise ValueError
        return found
    except ValueError as error:
        raise _failed("string", "double") from error


def _int_of_double(value: float) -> int:
    if not math.isfinite(value) or not -(2.0**63) < value < 2.0**63:
        raise EvaluationError("integer overflow")
    return int(value)


def _uint_of_double(value: float) -> Uint:
    if not math.isfinite(value) or not 0 <= value < 2.0**64:
        raise EvaluationError("unsigned integer overflow")
    return Uint(int(value))


def _bool_of_text(text: str) -> bool:
    truths = {"1": True, "t": True, "T": True, "TRUE": True, "true": True, "True": True}
    lies = {"0": False, "f": False, "F": False, "FALSE": False, "false": False, "False": False}
    found = (truths | lies).get(text)
    if found is None:
        raise _failed("string", "bool")
    return found


def _no_duration(value: int) -> Duration:
    """The standard has it, cel-go declares it, and nobody does it."""
    raise _failed("int", "google.protobuf.Duration")


def text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from error


def text_of_double(value: float) -> str:
    """As Go's strconv.FormatFloat(value, 'g', -1, 64)."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    sign, digits, power = Decimal(repr(value)).normalize().as_tuple()
    exponent = len(digits) - 1 + int(power)
    if -5 < exponent < _PLAIN_DIGITS:
        return repr(value).removesuffix(".0")
    first, *rest = map(str, digits)
    return f"{'-' * sign}{first}{'.' * bool(rest)}{''.join(rest)}e{exponent:+03d}"


def _timestamp_of_text(text: str) -> Timestamp:
    found = parse_timestamp(text)
    if found is None:
        raise _failed("string", "google.protobuf.Timestamp")
    return checked_timestamp(found.nanoseconds, found.offset)


def _duration_of_text(text: str) -> Duration:
    found = parse_duration(text)
    if found is None:
        raise _failed("string", "google.protobuf.Duration")
    return found


def _type_of(value: object) -> Type:
    if isinstance(value, Timestamp | Duration):
        return TIMESTAMP if isinstance(value, Timestamp) else DURATION
    names: dict[type, Type] = {
        bool: BOOL, int: INT, Uint: UINT, float: DOUBLE, str: STRING, bytes: BYTES, type(None): NULL,
        Type: Type("type"), Optional: Type("optional_type"),
    }  # fmt: skip
    if isinstance(value, list | dict):
        return Type("list") if isinstance(value, list) else Type("map")
    return names.get(type(value)) or Type("opaque", name=getattr(value, "type_name", ""))


def _part(read: Callable[[datetime], int]) -> list[Overload]:
    """A part of a timestamp, in UTC or in a zone."""
    return [
        method(TIMESTAMP, to=INT, do=lambda moment: read(moment.at())),
        method(TIMESTAMP, STRING, to=INT, do=lambda moment, zone: read(moment.at(zone_of(zone)))),
    ]


def _whole(unit: int) -> Overload:
    def counted(value: Duration) -> int:
        whole = abs(value.nanoseconds) // unit
        return -whole if value.nanoseconds < 0 else whole

    return method(DURATION, to=INT, do=counted)


def _same(value: Any) -> Any:
    return value


FUNCTIONS: Final[Functions] = {
    "int": [
        function(INT, to=INT, do=_same),
        function(UINT, to=INT, do=lambda value: checked_int(int(value))),
        function(DOUBLE, to=INT, do=_int_of_double),
        function(STRING, to=INT, do=_int_of_text),
        function(TIMESTAMP, to=INT, do=lambda moment: moment.nanoseconds // SECOND),
        function(DURATION, to=INT, do=lambda value: value.nanoseconds),
    ],
    "uint": [
        function(UINT, to=UINT, do=_same),
        function(INT, to=UINT, do=checked_uint),
        function(DOUBLE, to=UINT, do=_uint_of_double),
        function(STRING, to=UINT, do=_uint_of_text),
    ],
    "double": [
        function(DOUBLE, to=DOUBLE, do=_same),
        function(INT, to=DOUBLE, do=float),
        function(UINT, to=DOUBLE, do=float),
        function(STRING, to=DOUBLE, do=_double_of_text),
    ],
    "bool": [function(BOOL, to=BOOL, do=_same), function(STRING, to=BOOL, do=_bool_of_text)],
    "string": [
        function(STRING, to=STRING, do=_same),
        function(BOOL, to=STRING, do=lambda value: "true" if value else "false"),
        function(INT, to=STRING, do=str),
        function(UINT, to=STRING, do=lambda value: str(int(value))),
        function(DOUBLE, to=STRING, do=text_of_double),
        function(BYTES, to=STRING, do=text_of_bytes, cost=walks(0), size=lambda sizes: sizes[0]),
        function(TIMESTAMP, to=STRING, do=str),
        function(DURATION, to=STRING, do=str),
    ],
    "bytes": [
        function(BYTES, to=BYTES, do=_same),
        function(STRING, to=BYTES, do=str.encode, cost=walks(0), size=lambda sizes: sizes[0]),
    ],
    "timestamp": [
        function(TIMESTAMP, to=TIMESTAMP, do=_same),
        function(STRING, to=TIMESTAMP, do=_timestamp_of_text),
        function(INT, to=TIMESTAMP, do=lambda seconds: checked_timestamp(seconds * SECOND)),
    ],
    "duration": [
        function(DURATION, to=DURATION, do=_same),
        function(STRING, to=DURATION, do=_duration_of_text),
        function(INT, to=DURATION, do=_no_duration),
    ],
    "type": [function(A, to=type_of(A), do=_type_of)],
    "getFullYear": _part(lambda moment: moment.year),
    "getMonth": _part(lambda moment: moment.month - 1),
    "getDate": _part(lambda moment: moment.day),
    "getDayOfMonth": _part(lambda moment: moment.day - 1),
    "getDayOfWeek": _part(lambda moment: moment.isoweekday() % 7),
    "getDayOfYear": _part(lambda moment: moment.timetuple().tm_yday - 1),
    "getHours": [*_part(lambda moment: moment.hour), _whole(3600 * SECOND)],
    "getMinutes": [*_part(lambda moment: moment.minute), _whole(60 * SECOND)],
    "getSeconds": [*_part(lambda moment: moment.second), _whole(SECOND)],
    "getMilliseconds": [
        method(TIMESTAMP, to=INT, do=lambda moment: moment.nanoseconds % SECOND // 1_000_000),
        method(TIMESTAMP, STRING, to=INT, do=lambda moment, zone: moment.nanoseconds % SECOND // 1_000_000),
        _whole(1_000_000),
    ],
}
