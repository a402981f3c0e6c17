"""Structural schemas: what an OpenAPI schema has to be like so that unknown fields can be told and pruned."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from pybernetes.api import field
from pybernetes.api.decode import DecodeError
from pybernetes.api.field import Path
from pybernetes.api.pruning import prune
from pybernetes.api.regexp import RegexpError, compiled
from pybernetes.api.validation.kinds import Errors, Tree
from pybernetes.api.validation.schema_rules import has_rules, validate_schema_rules
from pybernetes.api.validation.schema_values import validate_value

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_JUNCTORS = ("allOf", "anyOf", "oneOf")
# What a value validation may not say, since the structure says it.
_STRUCTURE = (
    "type", "title", "description", "default", "additionalProperties", "nullable",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type",
)  # fmt: skip


def validate_structural(schema: Tree, path: Path) -> Errors:
    """The schema of a whole object."""
    kind = schema.get("type", "")
    if not kind:
        yield field.required(path.child("type"), "must not be empty at the root")
        return
    if kind != "object":
        yield field.invalid(path.child("type"), kind, "must be object at the root")
    yield from _validate_metadata(schema, path)
    found = list(_validate_node(schema, path, root=True)) or list(_validate_defaults(schema, path, root=True))
    yield from found
    yield from validate_schema_rules(schema, path, is_structural=not found)


def _validate_metadata(schema: Tree, path: Path) -> Errors:
    """Nothing is said about metadata but the form of names."""
    metadata = (schema.get("properties") or {}).get("metadata")
    if metadata is None:
        return
    said = set(metadata) - {"type", "properties", "description"}
    named = set(metadata.get("properties") or ()) - {"name", "generateName"}
    if said or named:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield field.forbidden(path.child("properties").key("metadata"), detail)


def _children(schema: Tree, path: Path) -> Iterator[tuple[Tree, Path]]:
    for name, child in (schema.get("properties") or {}).items():
        yield child, path.child("properties").key(name)
    if isinstance(schema.get("items"), dict):
        yield schema["items"], path.child("items")
    if isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"], path.child("additionalProperties")


def _validate_node(schema: Tree, path: Path, *, root: bool = False) -> Errors:
    yield from _validate_type(schema, path, root)
    yield from _validate_keywords(schema, path)
    yield from _validate_list(schema, path)
    for junctor in _JUNCTORS:
        for index, value in enumerate(schema.get(junctor) or ()):
            yield from _validate_value_validation(value, schema, path.child(junctor).index(index))
    if isinstance(schema.get("not"), dict):
        yield from _validate_value_validation(schema["not"], schema, path.child("not"))
    for child, at in _children(schema, path):
        yield from _validate_node(child, at)


def _validate_type(schema: Tree, path: Path, root: bool) -> Errors:
    kind = schema.get("type", "")
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not kind:
        if not free and not root and "$ref" not in schema:
            place = "array items" if str(path).endswith(".items") else "object fields"
            yield field.required(path.child("type"), f"must not be empty for specified {place}")
    elif kind not in _TYPES:
        yield field.not_supported(path.child("type"), kind, _TYPES)
    if kind == "array" and schema.get("items") is None:
        yield field.required(path.child("items"), "must be specified")
    if schema.get("x-kubernetes-embedded-resource") and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield field.invalid(path.child("type"), kind, detail)


def _validate_keywords(schema: Tree, path: Path) -> Errors:
    if "$ref" in schema:
        yield field.forbidden(path.child("$ref"), "$ref is not supported")
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield field.forbidden(path.child("uniqueItems"), detail)
    if isinstance(schema.get("items"), list):
        yield field.forbidden(path.child("items"), "items must be a schema object and not an array")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield field.forbidden(
            path.child("additionalProperties"), "additionalProperties and properties are mutual exclusive"
        )
    for name in ("definitions", "dependencies", "patternProperties", "id", "$schema"):
        if schema.get(name):
            yield field.forbidden(path.child(name), f"{name} is not supported")
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        yield field.invalid(path.child("x-kubernetes-preserve-unknown-fields"), False, "must be true or undefined")
    pattern = schema.get("pattern")
    if pattern:
        yield from _validate_pattern(pattern, path.child("pattern"))


def _validate_pattern(pattern: str, path: Path) -> Errors:
    try:
        compiled(pattern)
    except RegexpError as error:
        yield field.invalid(path, pattern, f"must be a valid regular expression, but isn't: {error}")


def _validate_list(schema: Tree, path: Path) -> Errors:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or []
    if kind is None:
        if keys:
            detail = "must not be set if x-kubernetes-list-type is not map"
            yield field.invalid(path.child("x-kubernetes-list-type"), None, detail)
        return
    if kind not in ("atomic", "map", "set"):
        yield field.not_supported(path.child("x-kubernetes-list-type"), kind, ("atomic", "map", "set"))
    if schema.get("type") != "array":
        yield field.invalid(
            path.child("type"), schema.get("type", ""), "must be array if x-kubernetes-list-type is specified"
        )
    if kind != "map":
        return
    items = schema["items"] if isinstance(schema.get("items"), dict) else {}
    if not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        yield field.required(path.child("x-kubernetes-list-map-keys"), detail)
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield field.invalid(path.child("items", "type"), items.get("type", ""), detail)
    yield from _validate_list_keys(keys, items, path)


def _validate_list_keys(keys: list[str], items: Tree, path: Path) -> Errors:
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            detail = "entries must all be names of item properties"
            yield field.invalid(path.child("x-kubernetes-list-map-keys").index(index), key, detail)
        elif key not in (items.get("required") or ()) and "default" not in properties[key]:
            at = path.child("items", "properties").key(key).child("default")
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            yield field.required(at, detail)


def _validate_defaults(schema: Tree, path: Path, *, root: bool = False) -> Errors:
    if "default" in schema:
        yield from _validate_default(schema, schema["default"], path.child("default"), root=root)
    for child, at in _children(schema, path):
        yield from _validate_defaults(child, at)


def _validate_default(schema: Tree, value: Any, path: Path, *, root: bool) -> Errors:
    """A default is a value that its field can have, with nothing that would be dropped."""
    unknown: list[str] = []
    try:
        prune(schema, copy.deepcopy(value), "", unknown)
    except DecodeError as error:
        yield field.invalid(path, value, str(error))
        return
    if unknown:
        yield field.invalid(path, value, "must not have unknown fields")
    found = list(validate_value(schema, value, Path()))
    for wrong in found:
        inside = f".{wrong.field}" if wrong.field and not wrong.field.startswith("[") else wrong.field
        yield replace(wrong, field=f"{path}{inside}")
    if not found and has_rules(schema):
        from pybernetes.api.cel.rules import rule_tree
        from pybernetes.api.validation.rule_values import validate_default

        tree = rule_tree(schema, root=root or bool(schema.get("x-kubernetes-embedded-resource")))
        if tree is not None:
            yield from validate_default(tree, value, path)


def _validate_value_validation(schema: Tree, structure: Tree, path: Path) -> Errors:
    """Inside of junctors only values are judged, fields are not made up."""
    for name in _STRUCTURE:
        if schema.get(name) is not None and not _is_int_or_string(schema, structure, name):
            yield field.forbidden(path.child(name), "must be empty to be structural")
    yield from _validate_keywords(schema, path)
    for junctor in _JUNCTORS:
        for index, value in enumerate(schema.get(junctor) or ()):
            yield from _validate_value_validation(value, structure, path.child(junctor).index(index))
    for child, at in _children(schema, path):
        yield from _validate_value_validation(child, {}, at)


def _is_int_or_string(schema: Tree, structure: Tree, name: str) -> bool:
    """The one pattern in which a junctor may name types."""
    return (
        name == "type" and bool(structure.get("x-kubernetes-int-or-string")) and schema["type"] in ("integer", "string")
    )
