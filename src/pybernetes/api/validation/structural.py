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
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.schema_extensions import validate_embedded, validate_extensions
from pybernetes.api.validation.schema_rules import has_rules, validate_schema_rules
from pybernetes.api.validation.schema_values import validate_value

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_JUNCTORS = ("allOf", "anyOf", "oneOf")
# What a value validation may not say, since the structure says it -> how it has to be instead.
_STRUCTURE = {
    "type": "empty", "title": "empty", "description": "empty", "default": "undefined",
    "additionalProperties": "undefined", "nullable": "false", "x-kubernetes-preserve-unknown-fields": "false",
    "x-kubernetes-embedded-resource": "false", "x-kubernetes-int-or-string": "false",
    "x-kubernetes-list-map-keys": "empty", "x-kubernetes-list-type": "undefined",
    "x-kubernetes-map-type": "undefined", "x-kubernetes-validations": "empty",
}  # fmt: skip
_UNSUPPORTED = ("$ref", "definitions", "dependencies", "patternProperties", "id", "additionalItems")
_EITHER = [{"type": "integer"}, {"type": "string"}]


def validate_structural(schema: Tree, path: Path) -> Errors:
    """The schema of a whole object."""
    found = [] if _is_unsupported(schema) else [*_validate_root_type(schema, path), *_validate_metadata(schema, path)]
    if _names_dialect(schema):
        yield from found
        yield field.invalid(path, "", "OpenAPIV3Schema 'schema' is not supported")
        return
    found += _validate_node(schema, path, root=True)
    found = found or list(_validate_defaults(schema, path, root=True))
    yield from found
    yield from validate_schema_rules(schema, path, is_structural=not found)


def _validate_root_type(schema: Tree, path: Path) -> Errors:
    kind = schema.get("type", "")
    if not kind:
        yield field.required(path.child("type"), "must not be empty at the root")
    elif kind != "object":
        yield field.invalid(path.child("type"), kind, "must be object at the root")


def _is_unsupported(schema: Tree) -> bool:
    """Whether a schema uses anywhere what upstream cannot bring into structural form: then that form is not judged."""
    return any(schema.get(name) for name in _UNSUPPORTED) or any(
        _is_unsupported(child) for child, _ in _children(schema, Path())
    )


def _validate_metadata(schema: Tree, path: Path) -> Errors:
    """Nothing is said about metadata but the form of names."""
    metadata = (schema.get("properties") or {}).get("metadata")
    if metadata is None:
        return
    if metadata.get("type") != "object":
        return
    said = set(metadata) - {"type", "properties"}
    named = set(metadata.get("properties") or ()) - {"name", "generateName"}
    if said or named or metadata.get("properties") == {}:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield field.forbidden(path.child("properties").key("metadata"), detail)


def _names_dialect(schema: Tree) -> bool:
    """Whether a schema says anywhere in which language it is written, which ends the reading of it."""
    return bool(schema.get("$schema")) or any(_names_dialect(child) for child, _ in _children(schema, Path()))


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
    yield from validate_extensions(schema, path)
    yield from validate_embedded(schema, path, root=root)
    if root and isinstance(schema.get("additionalProperties"), dict):
        yield field.forbidden(path.child("additionalProperties"), "must not be used at the root")
    if root and schema.get("nullable"):
        yield field.forbidden(path.child("nullable"), "nullable cannot be true at the root")
    yield from _validate_junctors(schema, path, _numbers_or_strings(schema))
    for child, at in _children(schema, path):
        yield from _validate_node(child, at)


def _validate_type(schema: Tree, path: Path, root: bool) -> Errors:
    kind = schema.get("type", "")
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not kind:
        if not free and not root and not schema.get("x-kubernetes-embedded-resource") and "$ref" not in schema:
            place = "array items" if str(path).endswith(".items") else "object fields"
            yield field.required(path.child("type"), f"must not be empty for specified {place}")
    elif kind not in _TYPES:
        yield field.not_supported(path.child("type"), kind, _TYPES)
    if kind == "array" and schema.get("items") is None:
        yield field.required(path.child("items"), "must be specified")


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
    for name in _UNSUPPORTED:
        if schema.get(name) and name != "$ref":
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


def _validate_defaults(schema: Tree, path: Path, *, root: bool = False) -> Errors:
    if "default" in schema:
        yield from _validate_default(schema, schema["default"], path.child("default"), root=root)
    for child, at in _children(schema, path):
        yield from _validate_defaults(child, at)


def _validate_default(schema: Tree, value: Any, path: Path, *, root: bool) -> Errors:
    """A default is a value that its field can have, with nothing that would be dropped."""
    try:
        unknown = prune(schema, copy.deepcopy(value))
    except DecodeError as error:
        yield field.invalid(path, value, str(error))
        return
    if unknown:
        yield field.invalid(path, value, "must not have unknown fields")
    found = list(validate_value(schema, value, Path()))
    for wrong in found:
        inside = f".{wrong.field}" if wrong.field else ""
        yield replace(wrong, field=f"{path}{inside}")
    if not found and has_rules(schema):
        from pybernetes.api.cel.rules import rule_tree
        from pybernetes.api.validation.rule_values import validate_default

        tree = rule_tree(schema, root=root or bool(schema.get("x-kubernetes-embedded-resource")))
        if tree is not None:
            yield from validate_default(tree, value, path)


def _validate_junctors(schema: Tree, path: Path, typed: tuple[str, ...] = ()) -> Errors:
    """Inside of junctors only values are judged, fields are not made up; at the places in `typed` types may be named."""
    for junctor in _JUNCTORS:
        for index, value in enumerate(schema.get(junctor) or ()):
            if junctor in typed:
                continue
            inner = ("anyOf",) if index == 0 and f"{junctor}[0].anyOf" in typed else ()
            yield from _validate_value_validation(value, path.child(junctor).index(index), inner)
    if isinstance(schema.get("not"), dict):
        yield from _validate_value_validation(schema["not"], path.child("not"))


def _validate_value_validation(schema: Tree, path: Path, typed: tuple[str, ...] = ()) -> Errors:
    for name, wanted in _STRUCTURE.items():
        if schema.get(name) if wanted != "undefined" else schema.get(name) is not None:
            yield field.forbidden(path.child(name), f"must be {wanted} to be structural")
    yield from _validate_keywords(schema, path)
    yield from validate_extensions(schema, path)
    if "metadata" in (schema.get("properties") or {}):
        yield field.forbidden(path.child("properties").key("metadata"), "must not be specified in a nested context")
    yield from _validate_junctors(schema, path, typed)
    for child, at in _children(schema, path):
        if child is not schema.get("additionalProperties"):
            yield from _validate_value_validation(child, at)


def _numbers_or_strings(schema: Tree) -> tuple[str, ...]:
    """The one pattern in which a junctor may name types, where it stands in the schema."""
    if schema.get("anyOf") == _EITHER:
        return ("anyOf",)
    needed = schema.get("allOf") or []
    return ("allOf[0].anyOf",) if needed and needed[0].get("anyOf") == _EITHER else ()
