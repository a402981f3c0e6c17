"""Optional values (cel-go's OptionalTypes). `.?field`, `[?key]`, `optMap` and `optFlatMap` are syntax."""

from __future__ import annotations

from typing import Final

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, function, method
from pybernetes.api.cel.types import BOOL, A, list_of, optional_of
from pybernetes.api.cel.values import NONE, Optional


def _value(optional: Optional) -> object:
    if not optional.is_set:
        raise EvaluationError("optional.none() dereference")
    return optional.value


def _of_nonzero(value: object) -> Optional:
    return Optional(value, True) if value else NONE


def _unwrapped(values: list[Optional]) -> list[object]:
    return [value.value for value in values if value.is_set]


FUNCTIONS: Final[Functions] = {
    "optional.of": [function(A, to=optional_of(A), do=lambda value: Optional(value, True))],
    "optional.ofNonZeroValue": [function(A, to=optional_of(A), do=_of_nonzero)],
    "optional.none": [function(to=optional_of(A), do=lambda: NONE)],
    "optional.unwrap": [function(list_of(optional_of(A)), to=list_of(A), do=_unwrapped)],
    "unwrapOpt": [method(list_of(optional_of(A)), to=list_of(A), do=_unwrapped)],
    "hasValue": [method(optional_of(A), to=BOOL, do=lambda optional: optional.is_set)],
    "value": [method(optional_of(A), to=A, do=_value)],
    "or": [
        method(optional_of(A), optional_of(A), to=optional_of(A), do=lambda one, other: one if one.is_set else other)
    ],
    "orValue": [method(optional_of(A), A, to=A, do=lambda one, other: one.value if one.is_set else other)],
}
