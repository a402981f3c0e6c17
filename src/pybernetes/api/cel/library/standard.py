"""Operators and functions of the CEL specification's standard definitions, but for conversions and dates."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, Overload, Sizes, function, matching, method, tenth, walks
from pybernetes.api.cel.library.indexes import as_key, element, entry
from pybernetes.api.cel.library.regex import matches
from pybernetes.api.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NUMBERS,
    STRING,
    TIMESTAMP,
    UINT,
    A,
    B,
    Type,
    list_of,
    map_of,
    optional_of,
)
from pybernetes.api.cel.values import (
    NONE,
    Optional,
    Set,
    Uint,
    checked_duration,
    checked_int,
    checked_timestamp,
    checked_uint,
    equals,
    identity,
    is_number,
)

_COMPARED: Final = (BOOL, STRING, BYTES, TIMESTAMP, DURATION)


def _divided(one: int, other: int) -> int:
    """Rounded to zero."""
    if other == 0:
        raise EvaluationError("division by zero")
    quotient = abs(one) // abs(other)
    return checked_int(quotient if (one < 0) == (other < 0) else -quotient)


def _remainder(one: int, other: int) -> int:
    """With the sign of the first."""
    if other == 0:
        raise EvaluationError("modulus by zero")
    return math.fmod(one, other).__trunc__() if abs(one) < 1 << 53 else one - other * _divided(one, other)


def _divided_double(one: float, other: float) -> float:
    if other == 0:
        return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1, other)
    return one / other


def _unsigned(apply: Callable[[int, int], int], by_zero: str) -> Callable[[int, int], int]:
    def applied(one: int, other: int) -> int:
        if other == 0:
            raise EvaluationError(by_zero)
        return Uint(apply(one, other))

    return applied


def _both(sizes: Sizes) -> int:
    return tenth(min(sizes[0] + sizes[1], 1 << 64))


def _smaller(sizes: Sizes) -> int:
    return tenth(min(sizes[0], sizes[1]))


def _sum(sizes: Sizes) -> int:
    return sizes[0] + sizes[1]


def _arithmetic(apply: Callable[[Any, Any], Any]) -> list[Overload]:
    return [
        function(INT, INT, to=INT, do=lambda a, b: checked_int(apply(a, b))),
        function(UINT, UINT, to=UINT, do=lambda a, b: checked_uint(apply(a, b))),
        function(DOUBLE, DOUBLE, to=DOUBLE, do=apply),
    ]


def _moments(apply: Callable[[int, int], int]) -> list[Overload]:
    """What sums and differences of timestamps and durations have in common."""
    return [
        function(TIMESTAMP, DURATION, to=TIMESTAMP, do=lambda a, b: checked_timestamp(apply(a.nanoseconds, b.nanoseconds), a.offset)),
        function(DURATION, DURATION, to=DURATION, do=lambda a, b: checked_duration(apply(a.nanoseconds, b.nanoseconds))),
    ]  # fmt: skip


def _comparison(apply: Callable[[Any, Any], bool]) -> list[Overload]:
    same = [
        function(each, each, to=BOOL, do=apply, cost=_smaller if each in (STRING, BYTES) else None)
        for each in _COMPARED
    ]
    return same + [function(a, b, to=BOOL, do=apply) for a in NUMBERS for b in NUMBERS]


def _optional_list(values: list[object], index: int) -> Optional:
    return Optional(values[index], True) if 0 <= index < len(values) else NONE


def _optional_map(values: dict[object, object], key: object) -> Optional:
    return Optional(values[as_key(key)], True) if as_key(key) in values else NONE


def _through(apply: Callable[[Any, Any], Optional]) -> Callable[[Optional, object], Optional]:
    return lambda value, key: apply(value.value, key) if value.is_set else NONE


def _has_key(key: object, values: dict[object, object]) -> bool:
    if isinstance(key, bool) or not is_number(key):
        return isinstance(key, str | bool) and key in values
    return as_key(key) in values


def _size(value: Any) -> int:
    return len(value)


def _joined(one: list[object], other: list[object]) -> list[object]:
    """Lists of Kubernetes that are sets stay so: what is there already is not added again."""
    if not isinstance(one, Set):
        return [*one, *other]
    known = set(map(identity, one))
    return Set([*one, *(value for value in other if identity(value) not in known)])


def _copied(one: list[object], other: list[object]) -> int:
    """As of strings. Upstream's list refers to both, and copies neither."""
    return tenth(len(one) + len(other))


def _sized(kind: Type) -> list[Overload]:
    return [function(kind, to=INT, do=_size), method(kind, to=INT, do=_size)]


FUNCTIONS: Final[Functions] = {
    "_==_": [function(A, A, to=BOOL, do=equals, cost=_smaller)],
    "_!=_": [function(A, A, to=BOOL, do=lambda a, b: not equals(a, b), cost=_smaller)],
    "_<_": _comparison(operator.lt),
    "_<=_": _comparison(operator.le),
    "_>_": _comparison(operator.gt),
    "_>=_": _comparison(operator.ge),
    "_+_": [
        *_arithmetic(operator.add),
        function(STRING, STRING, to=STRING, do=operator.add, cost=_both, size=_sum),
        function(BYTES, BYTES, to=BYTES, do=operator.add, cost=_both, size=_sum),
        function(list_of(A), list_of(A), to=list_of(A), do=_joined, size=_sum, makes=_copied),
        *_moments(operator.add),
        function(
            DURATION, TIMESTAMP, to=TIMESTAMP, do=lambda a, b: checked_timestamp(a.nanoseconds + b.nanoseconds, b.offset)
        ),
    ],
    "_-_": [
        *_arithmetic(operator.sub),
        *_moments(operator.sub),
        function(
            TIMESTAMP, TIMESTAMP, to=DURATION, do=lambda a, b: checked_duration(a.nanoseconds - b.nanoseconds)
        ),
    ],
    "_*_": _arithmetic(operator.mul),
    "_/_": [
        function(INT, INT, to=INT, do=_divided),
        function(UINT, UINT, to=UINT, do=_unsigned(operator.floordiv, "division by zero")),
        function(DOUBLE, DOUBLE, to=DOUBLE, do=_divided_double),
    ],
    "_%_": [
        function(INT, INT, to=INT, do=_remainder),
        function(UINT, UINT, to=UINT, do=_unsigned(operator.mod, "modulus by zero")),
    ],
    "-_": [
        function(INT, to=INT, do=lambda value: checked_int(-value)),
        function(DOUBLE, to=DOUBLE, do=operator.neg),
    ],
    "!_": [function(BOOL, to=BOOL, do=operator.not_)],
    "@in": [
        function(
            A, list_of(A), to=BOOL, do=lambda value, values: any(equals(value, each) for each in values),
            cost=lambda sizes: sizes[1],
        ),
        function(A, map_of(A, B), to=BOOL, do=_has_key),
    ],
    "_[_]": [
        function(list_of(A), INT, to=A, do=element),
        function(map_of(A, B), A, to=B, do=entry),
        function(optional_of(list_of(A)), INT, to=optional_of(A), do=_through(_optional_list)),
        function(optional_of(map_of(A, B)), A, to=optional_of(B), do=_through(_optional_map)),
    ],
    "_[?_]": [
        function(list_of(A), INT, to=optional_of(A), do=_optional_list),
        function(map_of(A, B), A, to=optional_of(B), do=_optional_map),
        function(optional_of(list_of(A)), INT, to=optional_of(A), do=_through(_optional_list)),
        function(optional_of(map_of(A, B)), A, to=optional_of(B), do=_through(_optional_map)),
    ],
    "size": [each for kind in (STRING, BYTES, list_of(A), map_of(A, B)) for each in _sized(kind)],
    "contains": [
        method(
            STRING, STRING, to=BOOL, do=lambda text, part: part in text,
            cost=lambda sizes: tenth(sizes[0]) * tenth(sizes[1]),
        )
    ],
    "startsWith": [method(STRING, STRING, to=BOOL, do=str.startswith, cost=walks(1))],
    "endsWith": [method(STRING, STRING, to=BOOL, do=str.endswith, cost=walks(1))],
    "matches": [
        function(STRING, STRING, to=BOOL, do=matches, cost=matching),
        method(STRING, STRING, to=BOOL, do=matches, cost=matching),
    ],
    "dyn": [function(A, to=DYN, do=lambda value: value)],
}  # fmt: skip
