"""Objects as decoded JSON."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar, cast

T = TypeVar("T")

Tree: TypeAlias = dict[str, Any]
"""An object. One that was read from a cache is never changed in place."""


def copied(value: T) -> T:
    """A deep copy of a part of an object, of which nothing is shared."""
    return cast(T, _copied(value))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value
