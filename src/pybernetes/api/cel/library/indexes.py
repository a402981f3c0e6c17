"""What stands at a place of a list or a map."""

from __future__ import annotations

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import kind_of
from pybernetes.api.cel.values import NONE, is_number


def element(values: list[object], index: object) -> object:
    """An element of a list. Raises EvaluationError for what is no index of it."""
    if not is_number(index):
        raise EvaluationError(f"unsupported index type '{kind_of(index)}' in list")
    place = as_key(index)
    if not isinstance(place, int):
        raise EvaluationError(f"unsupported index value {index} in list")
    if not 0 <= place < len(values):
        raise EvaluationError(f"index out of bounds: {place}")
    return values[place]


def entry(values: dict[object, object], key: object) -> object:
    """A map's value. Raises EvaluationError if there is none."""
    found = values.get(as_key(key), NONE)
    if found is NONE:
        raise EvaluationError(f"no such key: {shown_key(key)}")
    return found


def as_key(key: object) -> object:
    """Numbers are equal, whatever their types."""
    return int(key) if isinstance(key, float) and key.is_integer() else key


def shown_key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
