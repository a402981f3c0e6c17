"""Patches: their content types, and the smallest merge patch between two objects."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeAlias

import msgspec

from pybernetes.api.types.base import Object

Patch: TypeAlias = "Object | dict[str, Any] | list[dict[str, Any]] | bytes"
"""A patch document: an object or tree to encode, a list of JSON patch operations, or encoded bytes."""


class PatchType(Enum):
    """The content types of PATCH."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


def merge_patch(old: Object, new: Object) -> dict[str, Any]:
    """The JSON merge patch (RFC 7396) that makes `new` of `old`; empty if they are equal."""
    return _difference(msgspec.to_builtins(old), msgspec.to_builtins(new))


def _difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            if inner := _difference(before, value):
                patch[name] = inner
        elif before != value:
            patch[name] = value
    return patch
