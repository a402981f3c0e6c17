"""Lists (Kubernetes' lists library, cel-go's lists extension) and sets (cel-go's sets extension)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from pybernetes.api.cel.errors import CostError, EvaluationError
from pybernetes.api.cel.functions import LIST_COST, Functions, Overload, Sizes, each_walked, elements, function, method
from pybernetes.api.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    A,
    Type,
    list_of,
    optional_of,
)
from pybernetes.api.cel.values import (
    NONE,
    Duration,
    Optional,
    Uint,
    checked_duration,
    checked_int,
    checked_uint,
    equals,
)

MAX_RANGE: Final = 1_000_000
"""No expression could go through more, so that more is not even made."""
_ORDERED: Final = (INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES)


def _is_sorted(values: list[Any]) -> bool:
    return all(one <= other for one, other in pairwise(values))


def _sum(values: list[Any]) -> object:
    if not values:
        return 0
    if isinstance(values[0], Duration):
        return checked_duration(sum(value.nanoseconds for value in values))
    if isinstance(values[0], Uint):
        return checked_uint(sum(values))
    total = sum(values)
    return total if isinstance(total, float) else checked_int(total)


def _extreme(choose: Callable[[list[Any]], Any], name: str) -> Callable[[list[Any]], Any]:
    def chosen(values: list[Any]) -> Any:
        if not values:
            raise EvaluationError(f"{name} called on empty list")
        return choose(values)

    return chosen


def _index_of(values: list[object], wanted: object) -> int:
    return next((index for index, value in enumerate(values) if equals(value, wanted)), -1)


def _last_index_of(values: list[object], wanted: object) -> int:
    return max((index for index, value in enumerate(values) if equals(value, wanted)), default=-1)


def _range(count: int) -> list[object]:
    if count > MAX_RANGE:
        raise CostError
    return list(range(count))


def _slice(values: list[object], start: int, end: int) -> list[object]:
    if start < 0 or end < 0:
        wrong = "negative indexes not supported"
    elif start > end:
        wrong = "start index must be less than or equal to end index"
    elif end > len(values):
        wrong = f"list is length {len(values)}"
    else:
        return values[start:end]
    raise EvaluationError(f"cannot slice({start}, {end}), {wrong}")


def _flatten(values: list[object], depth: int = 1) -> list[object]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    flat: list[object] = []
    for value in values:
        flat.extend(_flatten(value, depth - 1) if isinstance(value, list) and depth else [value])
    return flat


def _distinct(values: list[object]) -> list[object]:
    found: list[object] = []
    for value in values:
        if not any(equals(value, known) for known in found):
            found.append(value)
    return found


def _sorted(values: list[Any]) -> list[Any]:
    if len({type(value) for value in values}) > 1:
        raise EvaluationError("list elements must have the same type")
    return sorted(values)


def _end(index: int) -> Callable[[list[object]], Optional]:
    return lambda values: Optional(values[index], True) if values else NONE


def _contains(values: list[object], wanted: list[object]) -> bool:
    return all(any(equals(value, each) for value in values) for each in wanted)


def _intersects(one: list[object], other: list[object]) -> bool:
    return any(equals(a, b) for a in one for b in other)


def _product(sizes: Sizes) -> int:
    return max(1, sizes[0] * sizes[1])


def _square(sizes: Sizes) -> int:
    return max(1, sizes[0] * sizes[0])


def _same_size(sizes: Sizes) -> int:
    return sizes[0]


def _ordered(apply: Callable[[list[Any]], Any], to: Type | None = None) -> list[Overload]:
    return [
        method(list_of(each), to=to or each, do=apply, cost=each_walked, inside=True)
        if each in (STRING, BYTES)
        else method(list_of(each), to=to or each, do=apply, cost=elements)
        for each in _ORDERED
    ]


def _searched(apply: Callable[[list[object], object], int]) -> list[Overload]:
    """Looking at a text or at bytes costs by their size."""
    walked = [method(list_of(each), each, to=INT, do=apply, cost=each_walked, inside=True) for each in (STRING, BYTES)]
    return [*walked, method(list_of(A), A, to=INT, do=apply, cost=elements)]


def _set(apply: Callable[[list[object], list[object]], bool]) -> list[Overload]:
    return [function(list_of(A), list_of(A), to=BOOL, do=apply, cost=_product)]


FUNCTIONS: Final[Functions] = {
    "isSorted": _ordered(_is_sorted, BOOL),
    "sum": [method(list_of(each), to=each, do=_sum, cost=elements) for each in (INT, UINT, DOUBLE, DURATION)],
    "min": _ordered(_extreme(min, "min")),
    "max": _ordered(_extreme(max, "max")),
    "indexOf": _searched(_index_of),
    "lastIndexOf": _searched(_last_index_of),
    "first": [method(list_of(A), to=optional_of(A), do=_end(0))],
    "last": [method(list_of(A), to=optional_of(A), do=_end(-1))],
    "lists.range": [function(INT, to=list_of(INT), do=_range, makes=lambda count: LIST_COST + max(0, count))],
    "slice": [method(list_of(A), INT, INT, to=list_of(A), do=_slice, cost=elements, size=_same_size)],
    "flatten": [
        method(list_of(list_of(A)), to=list_of(A), do=_flatten, cost=elements),
        method(list_of(A), INT, to=list_of(A), do=_flatten, cost=elements),
    ],
    "distinct": [method(list_of(A), to=list_of(A), do=_distinct, cost=_square, size=_same_size)],
    "reverse": [method(list_of(A), to=list_of(A), do=lambda values: values[::-1], cost=elements, size=_same_size)],
    "sort": [method(list_of(each), to=list_of(each), do=_sorted, cost=_square, size=_same_size) for each in _ORDERED],
    "sets.contains": _set(_contains),
    "sets.equivalent": _set(lambda one, other: _contains(one, other) and _contains(other, one)),
    "sets.intersects": _set(_intersects),
}
