"""Structural schemas as types of expressions, and JSON values as the values that expressions see."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pybernetes.api.cel.types import (  # fmt: skip
    BOOL,
    DOUBLE,
    INT,
    Type,
    list_of,
    map_of,
    object_of,
)
from pybernetes.api.cel.values import Set, parse_duration, parse_timestamp

Schema: TypeAlias = Mapping[str, Any]
Convert: TypeAlias = Callable[[Any], Any]

REQUEST_BYTES: Final = 3 * 1024 * 1024
"""The largest request: what bounds values that the schema does not bound."""

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ESCAPED: Final = re.compile(r"__|[-./]")
_ESCAPES: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
KEYWORDS: Final = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip
_OBJECT_META: Final[Schema] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}
_IDENTITY: Final[Mapping[str, Schema]] = {
    "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _OBJECT_META,
}  # fmt: skip
_FEWEST_BYTES: Final = {"boolean": 4, "integer": 1, "number": 1, "string": 2, "array": 2, "object": 2}
_FORMATS: Final = {"date": (12, 12), "date-time": (21, 32), "duration": (3, 32)}
"""The fewest and the most bytes of such strings as JSON."""
_KEY: Final = Type("string", size=0)
"""Of keys nothing is known, which counts for nothing: as upstream's estimates have it."""


def escaped(name: str) -> str | None:
    """The name of a property as an expression writes it; None if it cannot (`x-y` is `x__dash__y`)."""
    if name in KEYWORDS:
        return escaped_keyword(name)
    shown = _ESCAPED.sub(lambda found: _ESCAPES[found.group()], name)
    return shown if _NAME.fullmatch(shown) else None


def escaped_keyword(name: str) -> str:
    return f"__{name}__"


def with_identity(schema: Schema) -> Schema:
    """The schema of a whole object: what each has is part of it.

    One that declares all of it is left as it is, with what it says of further metadata; of others none of that counts.
    """
    if _has_strings(schema, "apiVersion", "kind") and _has_strings(
        schema["properties"].get("metadata") or {}, "name", "generateName"
    ):
        return schema
    return {**schema, "type": "object", "properties": {**(schema.get("properties") or {}), **_IDENTITY}}


def _has_strings(schema: Schema, *names: str) -> bool:
    properties = schema.get("properties") or {}
    return schema.get("type") == "object" and all(
        (properties.get(name) or {}).get("type") == "string" for name in names
    )


def type_of_schema(schema: Schema) -> Type | None:
    """None for what no expression can look at: values of which the schema says nothing."""
    if schema.get("x-kubernetes-int-or-string"):
        most = schema.get("maxLength")
        return Type("dyn", size=REQUEST_BYTES - 2 if most is None else 4 * most)
    kind = schema.get("type")
    if kind == "array":
        return _list_type(schema)
    if kind == "object":
        return _object_type(with_identity(schema) if schema.get("x-kubernetes-embedded-resource") else schema)
    if kind == "string":
        return _string_type(schema)
    return {"boolean": BOOL, "integer": INT, "number": DOUBLE}.get(kind or "")


def _list_type(schema: Schema) -> Type | None:
    items = schema.get("items") or {}
    element = type_of_schema(items)
    return None if element is None else list_of(element, _most_items(schema))


def _most_items(schema: Schema) -> int:
    """How many elements a list can have, by its schema or by what fits a request."""
    most = schema.get("maxItems")
    return most if most is not None else (REQUEST_BYTES - 2) // (_least(schema.get("items") or {}) + 1)


def _most_properties(schema: Schema) -> int:
    """How many entries a map can have."""
    most = schema.get("maxProperties")
    return most if most is not None else (REQUEST_BYTES - 2) // (_least(schema.get("additionalProperties") or {}) + 6)


def most_occurrences(schema: Schema) -> int:
    """How many such values fit into a request, however deep they are: each takes its own bytes and a comma."""
    return REQUEST_BYTES // (_least(schema) + 1)


def _least(schema: Schema) -> int:
    """The fewest bytes that a value takes as JSON."""
    kind = schema.get("type", "")
    least = _FEWEST_BYTES.get(kind, 1)
    if kind == "string":
        return _FORMATS.get(schema.get("format") or "", (least, 0))[0]
    if kind == "object":
        whole = with_identity(schema) if schema.get("x-kubernetes-embedded-resource") else schema
        properties = whole.get("properties") or {}
        for name in schema.get("required") or ():
            if name in properties and "default" not in properties[name]:
                least += len(name) + 4 + _least(properties[name])
    return least


def _object_type(schema: Schema) -> Type | None:
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        value = type_of_schema(others)
        return None if value is None else map_of(_KEY, value, _most_properties(schema))
    fields = {}
    for name, below in (schema.get("properties") or {}).items():
        shown, found = escaped(name), type_of_schema(below)
        if shown is not None and found is not None:
            fields[shown] = found
    return object_of("object", fields)


def _string_type(schema: Schema) -> Type:
    kind, most = schema.get("format"), schema.get("maxLength")
    if kind == "byte":
        return Type("bytes", size=most if most is not None else REQUEST_BYTES - 2)
    if kind in _FORMATS:
        return Type("duration" if kind == "duration" else "timestamp", size=_FORMATS[kind][1])
    if most is not None:
        # A character has up to four bytes.
        return Type("string", size=4 * most)
    longest = max((len(str(each)) for each in schema["enum"]), default=0) if schema.get("enum") else REQUEST_BYTES - 2
    return Type("string", size=longest)


def converter(schema: Schema) -> Convert | None:
    """What makes a value of an expression out of a JSON value; None where they are the same."""
    if schema.get("x-kubernetes-int-or-string"):
        return None
    kind = schema.get("type")
    if kind == "array":
        return _list_converter(schema)
    if kind == "object":
        return _object_converter(with_identity(schema) if schema.get("x-kubernetes-embedded-resource") else schema)
    if kind == "number":
        return lambda value: float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if kind == "string":
        return {"byte": _bytes, "date": _date, "date-time": _moment, "duration": _duration}.get(
            schema.get("format") or ""
        )
    return None


def _list_converter(schema: Schema) -> Convert | None:
    inner = converter(schema.get("items") or {})
    is_set = schema.get("x-kubernetes-list-type") in ("set", "map")
    if inner is None and not is_set:
        return None
    make: type[list[object]] = Set if is_set else list
    convert = inner or (lambda value: value)
    return lambda value: make(map(convert, value)) if isinstance(value, list) else value


def _object_converter(schema: Schema) -> Convert | None:
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        inner = converter(others)
        if inner is None:
            return None
        return lambda value: {key: inner(each) for key, each in value.items()} if isinstance(value, dict) else value
    parts = {}
    for name, below in (schema.get("properties") or {}).items():
        shown, convert = escaped(name), converter(below)
        if shown != name or convert is not None:
            parts[name] = (shown or name, convert)
    return (lambda value: _converted(parts, value)) if parts else None


def _converted(parts: Mapping[str, tuple[str, Convert | None]], value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    made = dict(value)
    for name, (shown, convert) in parts.items():
        if name in value:
            made.pop(name)
            made[shown] = convert(value[name]) if convert is not None else value[name]
    return made


def _bytes(value: Any) -> Any:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return value


def _date(value: Any) -> Any:
    return (parse_timestamp(f"{value}T00:00:00Z") or value) if isinstance(value, str) else value


def _moment(value: Any) -> Any:
    return (parse_timestamp(value) or value) if isinstance(value, str) else value


def _duration(value: Any) -> Any:
    return (parse_duration(value) or value) if isinstance(value, str) else value
