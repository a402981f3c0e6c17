"""Objects as Go's types hold them: what is required and missing has its zero value.

No server refuses such an object where its validation does not ask for the field, so that anybody could write one that
nobody else's informer can read.
"""

from __future__ import annotations

from typing import Any, Final

from pybernetes.api.schema import Kind, Schema

_ZEROS: Final[dict[Kind, Any]] = {
    Kind.STRING: "",
    Kind.INTEGER: 0,
    Kind.NUMBER: 0,
    Kind.BOOLEAN: False,
    Kind.QUANTITY: "0",
    Kind.INT_OR_STRING: 0,
    Kind.LIST: (),
}


def completed(schema: Schema, value: Any) -> Any:
    """The value without nulls (Go's empty lists and maps), with zero values for required fields that it lacks."""
    if isinstance(value, list):
        items = schema.items
        return [item if items is None else completed(items, {} if item is None else item) for item in value]
    if not isinstance(value, dict):
        return value
    if schema.kind is Kind.MAP:
        items = schema.items
        return {key: item if items is None else completed(items, item) for key, item in value.items() if item is not None}  # fmt: skip
    told = {
        name: completed(schema.properties[name], item) if name in schema.properties else item
        for name, item in value.items()
        if item is not None
    }
    lacking = [name for name in schema.required if name not in told and name in schema.properties]
    return told | {name: _zero(schema.properties[name]) for name in lacking}


def _zero(schema: Schema) -> Any:
    return completed(schema, {}) if schema.kind is Kind.OBJECT else _ZEROS.get(schema.kind, {})
