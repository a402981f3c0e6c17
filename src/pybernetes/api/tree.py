"""Objects as decoded JSON."""

from __future__ import annotations

from typing import Any, TypeAlias

Tree: TypeAlias = dict[str, Any]
"""An object. One that was read from a cache is never changed in place."""


def copied(value: Any) -> Any:
    """A deep copy of a part of an object, of which nothing is shared."""
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [copied(each) for each in value]
    return value
