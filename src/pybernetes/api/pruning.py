"""What a structural schema makes of a value: without what it does not know, with its defaults."""

from __future__ import annotations

import copy
from typing import Any, Final

from pybernetes.aio.turns import give_way
from pybernetes.api.decode import Decoded, DecodeError, decode
from pybernetes.api.field import go_json
from pybernetes.api.schema import schema_for
from pybernetes.api.tree import Tree

META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
OWN: Final = ("apiVersion", "kind", "metadata")
"""What every object has, whatever its schema says."""


def prune(schema: Tree, value: Any) -> list[str]:
    """Drop what the schema does not know, in place. The paths of what went: fields, then those of embedded metadata."""
    fields: list[str] = []
    metadata: list[str] = []
    _prune(schema, value, "", fields, metadata)
    return sorted(fields) + sorted(metadata)


def _prune(schema: Tree, value: Any, path: str, unknown: list[str], meta: list[str]) -> None:
    if isinstance(value, list):
        items = schema.get("items") or {}
        for index, item in enumerate(value):
            _prune(items, item, f"{path}[{index}]", unknown, meta)
        return
    if not isinstance(value, dict):
        return
    give_way()
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or others is True
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    for key in list(value):
        below = f"{path}.{key}" if path else key
        if embedded and key in OWN:
            if key == "metadata" and isinstance(value[key], dict):
                made = _metadata(value[key], below)
                value[key] = made.tree
                meta += [f"{below}.{field_path}" for field_path in made.unknown]
        elif key in properties:
            _prune(properties[key], value[key], below, unknown, meta)
        elif isinstance(others, dict):
            _prune(others, value[key], below, unknown, meta)
        elif not keeps:
            unknown.append(below)
            del value[key]


def _metadata(value: Tree, path: str) -> Decoded:
    """Embedded metadata, typed. Raises DecodeError."""
    try:
        return decode(schema_for(META), value)
    except DecodeError as error:
        raise DecodeError(f"{path}: Invalid value: {go_json(value)}: {error}") from error


def fill_defaults(schema: Tree, value: Any, *, keep_nulls: bool = False) -> None:
    """Fill in what is absent (or null, where null is not allowed), in place.

    Nulls that nothing can be filled in for go, unless they are to be kept for validation to judge.
    """
    if isinstance(value, list):
        for item in value:
            fill_defaults(schema.get("items") or {}, item, keep_nulls=keep_nulls)
        return
    if not isinstance(value, dict):
        return
    give_way()
    properties = schema.get("properties") or {}
    for key, below in properties.items():
        if "default" in below and (key not in value or (value[key] is None and not below.get("nullable"))):
            value[key] = copy.deepcopy(below["default"])
        elif not keep_nulls and key in value and value[key] is None and not below.get("nullable"):
            del value[key]
        if key in value:
            fill_defaults(below, value[key], keep_nulls=keep_nulls)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for key in [key for key in value if key not in properties]:
            if value[key] is None and not others.get("nullable") and not keep_nulls:
                del value[key]
            else:
                fill_defaults(others, value[key], keep_nulls=keep_nulls)
