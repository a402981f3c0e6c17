"""Values against an OpenAPI v3 schema, in the words of upstream's validator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, FieldError, Path
from pybernetes.api.regexp import compiled
from pybernetes.api.tree import Tree
from pybernetes.api.validation.formats import has_format
from pybernetes.api.validation.metadata import validate_open_bags

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "number": (int, float),
    "integer": int,
}
_RANGES: Final = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}

NEW: Final = object()
"""Stands for the old value of what has none."""


def validate_value(schema: Tree, value: Any, path: Path, old: Any = NEW) -> Iterator[FieldError]:
    """Everything that is wrong with the value, its inside too.

    What is as it was in `old` is not looked at: a schema that became stricter holds for changes only (KEP-4008).
    """
    if old is not NEW and same(value, old):
        return
    if value is None and schema.get("nullable"):
        return
    if not _has_type(schema, value):
        yield _wrong_type(schema, value, path)
    yield from _enum(schema, value, path)
    if isinstance(value, str):
        yield from _string(schema, value, path)
    elif isinstance(value, dict):
        yield from _object(schema, value, path, old if isinstance(old, dict) else {})
    elif isinstance(value, list):
        yield from _array(schema, value, path, old if isinstance(old, list) else [])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(schema, value, path)
    yield from _junctors(schema, value, path, old)


def _has_type(schema: Tree, value: Any) -> bool:
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, int | str) and not isinstance(value, bool)
    wanted = schema.get("type")
    if not wanted:
        return True
    if isinstance(value, bool):
        return bool(wanted == "boolean")
    return isinstance(value, _TYPES.get(wanted, object))


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return {"str": "string", "dict": "object", "list": "array"}.get(type(value).__name__, "object")


def _wrong_type(schema: Tree, value: Any, path: Path) -> FieldError:
    wanted = "integer,string" if schema.get("x-kubernetes-int-or-string") else schema["type"]
    found = _type_name(value)
    return field.type_invalid(path, found, f'{path} in body must be of type {wanted}: "{found}"')


def _enum(schema: Tree, value: Any, path: Path) -> Iterator[FieldError]:
    allowed = schema.get("enum")
    if allowed and not any(same(value, one) for one in allowed):
        shown = [one if isinstance(one, str) else field.go_json(one) for one in allowed]
        yield field.not_supported(path, value, shown)


def _string(schema: Tree, value: str, path: Path) -> Iterator[FieldError]:
    """Of lengths and patterns the first that is wrong is told."""
    longest, shortest, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if longest is not None and len(value) > longest:
        yield field.too_long(path, longest)
    elif shortest is not None and len(value) < shortest:
        yield field.invalid(path, value, f"{path} in body should be at least {shortest} chars long")
    elif pattern and not compiled(pattern).search(value):
        yield field.invalid(path, value, f"{path} in body should match '{pattern}'")
    if not has_format(value, schema.get("format") or ""):
        detail = f"{path} in body must be of type {schema['format']}: {field.quote(value)}"
        yield field.type_invalid(path, value, detail)


def _range(schema: Tree, value: float, path: Path) -> Iterator[FieldError]:
    """Whether a whole number is one that its format can hold."""
    if schema.get("type") != "integer":
        return
    called = schema.get("format") or ""
    least, most = _RANGES.get(called, _RANGES["int64"])
    if not (float(value).is_integer() and least <= value <= most):
        shown = f"with format {called}" if called else "(default format)"
        yield field.invalid(ROOT, "", f"Checked value must be of type integer {shown} in {path}")


def _number(schema: Tree, value: float, path: Path) -> Iterator[FieldError]:
    yield from _range(schema, value, path)
    least, most, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        words = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield field.invalid(path, value, f"{path} in body should be {words} {_shown(most)}")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        words = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield field.invalid(path, value, f"{path} in body should be {words} {_shown(least)}")
    if step and value % step:
        yield field.invalid(path, value, f"{path} in body should be a multiple of {_shown(step)}")


def _shown(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _object(schema: Tree, value: Tree, path: Path, old: Tree) -> Iterator[FieldError]:
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for name in schema.get("required") or []:
        if name not in value:
            yield field.required(path.child(name))
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield field.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield field.invalid(path, len(value), f"{path} in body should have at least {least} properties")
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    if embedded:
        yield from _embedded(value, path)
    for key, item in value.items():
        if embedded and key == "metadata":
            continue
        if key in properties:
            yield from validate_value(properties[key], item, path.child(key), old.get(key, NEW))
        elif isinstance(others, dict):
            yield from validate_value(others, item, path.child(key), old.get(key, NEW))


def _embedded(value: Tree, path: Path) -> Iterator[FieldError]:
    """An object inside of an object says what it is, and its metadata are like any other's."""
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(api_version, str) or not api_version:
        yield _lacking(value, path, "apiVersion")
    elif api_version.count("/") > 1:
        yield field.invalid(path.child("apiVersion"), api_version, f"unexpected GroupVersion string: {api_version}")
    if not isinstance(kind, str) or not kind:
        yield _lacking(value, path, "kind")
    else:
        for complaint in names.dns1035_label(kind.lower()):
            detail = f"may have mixed case, but should otherwise match: {complaint}"
            yield field.invalid(path.child("kind"), kind, detail)
    if isinstance(value.get("metadata"), dict):
        yield from validate_open_bags(value["metadata"], path.child("metadata"))


def _lacking(value: Tree, path: Path, name: str) -> FieldError:
    return (
        field.required(path.child(name))
        if name not in value
        else field.invalid(path.child(name), "", "must not be empty")
    )


def _array(schema: Tree, value: list[Any], path: Path, old: list[Any]) -> Iterator[FieldError]:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield field.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield field.invalid(path, len(value), f"{path} in body should have at least {least} items")
    items = schema.get("items") or {}
    before = keyed(schema, old)
    for index, item in enumerate(value):
        yield from validate_value(items, item, path.index(index), before.get(identity(schema, item), NEW))


def keyed(schema: Mapping[str, Any], elements: list[Any]) -> dict[str, Any]:
    """The elements of a map by their keys; other lists have no elements that stay the same ones."""
    if schema.get("x-kubernetes-list-type") != "map":
        return {}
    return {identity(schema, element): element for element in elements}


def identity(schema: Mapping[str, Any], element: Any) -> str:
    keys = schema.get("x-kubernetes-list-map-keys") or []
    return json.dumps([element.get(key) if isinstance(element, dict) else None for key in keys], sort_keys=True)


def same(value: Any, old: Any) -> bool:
    """Equality of JSON, in which true is not 1."""
    return bool(value == old) and json.dumps(value, sort_keys=True) == json.dumps(old, sort_keys=True)


def validate_lists(schema: Tree, value: Any, path: Path) -> Iterator[FieldError]:
    """What stands twice in the sets and maps of a value."""
    if isinstance(value, list):
        yield from _duplicates(schema, value, path)
        for index, item in enumerate(value):
            yield from validate_lists(schema.get("items") or {}, item, path.index(index))
    elif isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, item in value.items():
            if (below := properties.get(key, others)) and isinstance(below, dict):
                yield from validate_lists(below, item, path.child(key))


def _duplicates(schema: Tree, value: list[Any], path: Path) -> Iterator[FieldError]:
    """Sets and maps hold each element, or key, once."""
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    seen: set[str] = set()
    keys = schema.get("x-kubernetes-list-map-keys") or []
    for index, item in enumerate(value):
        told = {key: item.get(key) for key in keys} if kind == "map" and isinstance(item, dict) else item
        text = json.dumps(told, sort_keys=True)
        if text in seen:
            yield field.duplicate(path.index(index), told)
        seen.add(text)


def _junctors(schema: Tree, value: Any, path: Path, old: Any) -> Iterator[FieldError]:
    """Of alternatives that all fail, the one is told that had most to say about the value."""
    needed = [list(validate_value(one, value, path, old)) for one in schema.get("allOf") or []]
    if any(needed):
        none = "" if not all(needed) else ". None validated"
        yield field.invalid(ROOT, "", f'"{path}" must validate all the schemas (allOf){none}')
        for errors in needed:
            yield from errors
    alternatives = schema.get("anyOf") or []
    if alternatives and not any(_fits(one, value) for one in alternatives):
        yield field.invalid(ROOT, "", f'"{path}" must validate at least one schema (anyOf)')
        yield from validate_value(_closest(alternatives, value), value, path, old)
    exclusive = schema.get("oneOf") or []
    fitting = sum(_fits(one, value) for one in exclusive)
    if exclusive and fitting != 1:
        found = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
        yield field.invalid(ROOT, "", f'"{path}" must validate one and only one schema (oneOf). {found}')
        if not fitting:
            yield from validate_value(_closest(exclusive, value), value, path, old)
    refused = schema.get("not")
    if refused is not None and _fits(refused, value):
        yield field.invalid(ROOT, "", f'"{path}" must not validate the schema (not)')


def _closest(schemas: list[Tree], value: Any) -> Tree:
    return max(schemas, key=lambda one: _said(one, value))


def _said(schema: Tree, value: Any) -> int:
    """Of how many places in the value a schema says something."""
    if isinstance(value, list):
        return 1 + sum(_said(schema["items"], item) for item in value if isinstance(schema.get("items"), dict))
    if not isinstance(value, dict):
        return 1
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    below = [(properties.get(key, others), item) for key, item in value.items()]
    return 1 + sum(_said(one, item) for one, item in below if isinstance(one, dict))


def _fits(schema: Tree, value: Any) -> bool:
    return next(validate_value(schema, value, Path()), None) is None
