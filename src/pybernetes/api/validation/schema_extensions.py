"""What the extensions of a schema (`x-kubernetes-*`) may say of one place: lists, maps, embedded objects."""

from __future__ import annotations

from typing import Final

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors

_LIST: Final = "x-kubernetes-list-type"
_KEYS: Final = "x-kubernetes-list-map-keys"
_MAP: Final = "x-kubernetes-map-type"
_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_FREE: Final = "x-kubernetes-preserve-unknown-fields"
_LIST_TYPES: Final = ("atomic", "set", "map")
_MAP_TYPES: Final = ("atomic", "granular")
_IN_MAP: Final = "if parent array's x-kubernetes-list-type is map"
_IN_SET: Final = "must be atomic as item of a list with x-kubernetes-list-type=set"


def validate_extensions(schema: Tree, path: Path) -> Errors:
    yield from _validate_map_type(schema, path)
    yield from _validate_list_type(schema, path)
    if schema.get("x-kubernetes-int-or-string"):
        for name in (_FREE, _EMBEDDED):
            if schema.get(name):
                yield field.invalid(path.child(name), True, "must be false if x-kubernetes-int-or-string is true")


def validate_embedded(schema: Tree, path: Path, *, root: bool) -> Errors:
    """A whole object inside of another, or the outermost: what it is, it tells in strings."""
    embedded, kind = schema.get(_EMBEDDED), schema.get("type", "")
    if embedded and kind != "object":
        yield from _wrong_type(schema, path, f"must be object if {_EMBEDDED} is true")
    if root or embedded:
        for name, wanted in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
            found = (schema.get("properties") or {}).get(name)
            if found is not None and found.get("type") != wanted:
                at = path.child("properties").key(name).child("type")
                yield field.invalid(at, found.get("type", ""), f"must be {wanted}")
    if embedded and schema.get("additionalProperties") is not None:
        yield field.forbidden(path.child("additionalProperties"), f"must not be used if {_EMBEDDED} is set")
    if embedded and not schema.get(_FREE) and not schema.get("properties"):
        detail = f"must not be empty if {_EMBEDDED} is true without {_FREE}"
        yield field.required(path.child("properties"), detail)


def _wrong_type(schema: Tree, path: Path, detail: str) -> Errors:
    kind = schema.get("type", "")
    at = path.child("type")
    yield field.invalid(at, kind, detail) if kind else field.required(at, detail)


def _validate_map_type(schema: Tree, path: Path) -> Errors:
    kind = schema.get(_MAP)
    if kind is None:
        return
    if schema.get("type") != "object":
        yield from _wrong_type(schema, path, f"must be object if {_MAP} is specified")
    if kind not in _MAP_TYPES:
        yield field.not_supported(path.child(_MAP), kind, _MAP_TYPES)


def _validate_list_type(schema: Tree, path: Path) -> Errors:
    kind, keys = schema.get(_LIST), schema.get(_KEYS) or []
    items = schema["items"] if isinstance(schema.get("items"), dict) else None
    if kind is not None and schema.get("type") != "array":
        yield from _wrong_type(schema, path, f"must be array if {_LIST} is specified")
    elif kind == "set" and items is not None:
        yield from _validate_set_items(items, path.child("items"))
    if kind is not None and kind not in _LIST_TYPES:
        yield field.not_supported(path.child(_LIST), kind, _LIST_TYPES)
    if keys and kind != "map":
        detail = f"must be map if {_KEYS} is non-empty"
        at = path.child(_LIST)
        yield field.required(at, detail) if kind is None else field.invalid(at, kind, detail)
    if kind == "map":
        yield from _validate_keys(keys, items, path)
    if kind in ("set", "map") and items is not None:
        yield from _validate_present(kind, keys, items, path.child("items"))


def _validate_set_items(items: Tree, path: Path) -> Errors:
    if items.get("type") == "array" and items.get(_LIST) not in (None, "atomic"):
        yield field.invalid(path.child(_LIST), items[_LIST], _IN_SET)
    if items.get("type") == "object" and items.get(_MAP) != "atomic":
        yield field.invalid(path.child(_MAP), items.get(_LIST), _IN_SET)


def _validate_keys(keys: list[str], items: Tree | None, path: Path) -> Errors:
    if not keys:
        yield field.required(path.child(_KEYS), f"must not be empty if {_LIST} is map")
    if items is None:
        yield field.required(path.child("items"), f"must have a schema if {_LIST} is map")
        return
    if items.get("type") != "object":
        yield field.invalid(path.child("items", "type"), items.get("type", ""), f"must be object {_IN_MAP}")
        return
    for index, key in enumerate(keys):
        found = (items.get("properties") or {}).get(key)
        if found is None:
            yield field.invalid(path.child(_KEYS), keys, "entries must all be names of item properties")
        elif found.get("type") in ("array", "object"):
            at = path.child("items", "properties").key(key).child("type")
            yield field.invalid(at, "object", f"must be a scalar type {_IN_MAP}")
        if key in keys[:index]:
            yield field.invalid(path.child(_KEYS), keys, "must not contain duplicate entries")


def _validate_present(kind: str, keys: list[str], items: Tree, path: Path) -> Errors:
    """Elements of sets and maps, and the keys of maps, are never null, and keys never absent."""
    if items.get("nullable"):
        yield field.forbidden(path.child("nullable"), f"cannot be nullable when {_LIST} is {kind}")
    for key in keys if kind == "map" else ():
        found = (items.get("properties") or {}).get(key)
        if found is None:
            continue
        at = path.child("properties").key(key)
        if key not in (items.get("required") or ()) and found.get("default") is None:
            detail = f"this property is in {_KEYS}, so it must have a default or be a required property"
            yield field.required(at.child("default"), detail)
        if found.get("nullable"):
            yield field.forbidden(at.child("nullable"), f"this property is in {_KEYS}, so it cannot be nullable")
