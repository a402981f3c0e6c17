"""Schemas of custom resources as they are published: with what every object has, in the form that each version takes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.openapi.definitions import META

_CONVENTIONS: Final = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_API_VERSION: Final[Tree] = {
    "type": "string",
    "description": (
        "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized "
        "schemas to the latest internal value, and may reject unrecognized values. More info: "
        f"{_CONVENTIONS}#resources"
    ),
}
_KIND: Final[Tree] = {
    "type": "string",
    "description": (
        "Kind is a string value representing the REST resource this object represents. Servers may infer this from the "
        f"endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: {_CONVENTIONS}#types-kinds"
    ),
}
_METADATA: Final = f"Standard object's metadata. More info: {_CONVENTIONS}#metadata"
_LIST_METADATA: Final = f"Standard list metadata. More info: {_CONVENTIONS}#types-kinds"
_JUNCTORS: Final = ("allOf", "anyOf", "oneOf", "not")
_OPEN: Final = "x-kubernetes-preserve-unknown-fields"


def definition_name(group: str, version: str, kind: str) -> str:
    """The name of a custom kind's definition: `test.shop.v1.Widget`."""
    return f"{'.'.join(reversed(group.split('.')))}.{version}.{kind}"


def published(
    resource: Resource, source: Tree, prefix: str, *, swagger: bool, selectable: Sequence[str] = ()
) -> dict[str, Tree]:
    """The definitions of a kind and its list, with references below `prefix`; `swagger` for OpenAPI v2.

    `selectable` are the paths of fields by which objects can be selected.
    """
    name, listed = (
        definition_name(resource.group, resource.version, kind) for kind in (resource.kind, resource.list_kind)
    )
    is_closed = not swagger or not source.get(_OPEN)
    made = _whole(source, prefix, swagger=swagger) if is_closed else {"type": "object"}
    words = f"List of {resource.plural}. More info: {_CONVENTIONS}"
    items = {"type": "array", "description": words, "items": {"$ref": prefix + name}}
    own = {"apiVersion": _API_VERSION, "kind": _KIND, "metadata": _reference(prefix, "ListMeta", _LIST_METADATA)}
    many = {
        "description": f"{resource.list_kind} is a list of {resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {**own, "items": items},
    }
    both = {"x-kubernetes-selectable-fields": [{"fieldPath": one} for one in selectable]} if selectable else {}
    return {
        name: made | _kind(resource, resource.kind) | both,
        listed: many | _kind(resource, resource.list_kind) | both,
    }


def _kind(resource: Resource, kind: str) -> Tree:
    told = {"group": resource.group, "kind": kind, "version": resource.version}
    return {"x-kubernetes-group-version-kind": [told]}


def _whole(source: Tree, prefix: str, *, swagger: bool) -> Tree:
    made = _swagger(source) if swagger else copy.deepcopy(source)
    _complete(made, prefix, swagger=swagger)
    own = {"apiVersion": _API_VERSION, "kind": _KIND, "metadata": _reference(prefix, "ObjectMeta", _METADATA)}
    made["properties"] = {**(made.get("properties") or {}), **own}
    return made


def _reference(prefix: str, name: str, words: str) -> Tree:
    # OpenAPI 3.0 takes nothing beside a reference; `as_swagger` puts it back for 2.0.
    return {"allOf": [{"$ref": prefix + META + name}], "description": words}


def _complete(schema: Tree, prefix: str, *, swagger: bool) -> None:
    """Objects inside of objects have what every object has, and values of two types say so; in place."""
    for below in _children(schema):
        _complete(below, prefix, swagger=swagger)
    if schema.get("x-kubernetes-int-or-string") and not swagger and not any(schema.get(one) for one in _JUNCTORS):
        schema["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if not schema.get("x-kubernetes-embedded-resource") or (swagger and schema.get(_OPEN)):
        return
    own = {"apiVersion": _API_VERSION, "kind": _KIND, "metadata": _reference(prefix, "ObjectMeta", _METADATA)}
    schema["properties"] = {**(schema.get("properties") or {}), **own}
    required = list(schema.get("required") or [])
    schema["required"] = required + [name for name in ("kind", "apiVersion") if name not in required]


def _children(schema: Tree) -> list[Tree]:
    below: list[Any] = [
        *(schema.get("properties") or {}).values(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ]
    return [one for one in below if isinstance(one, dict)]


def _swagger(schema: Tree) -> Tree:
    """Without what OpenAPI v2 has no words for, and what kubectl reads wrongly there: then it says less."""
    made = {key: value for key, value in schema.items() if key not in (*_JUNCTORS, "nullable", "default")}
    is_nullable, is_open = bool(schema.get("nullable")), bool(schema.get(_OPEN))
    if is_nullable or is_open:
        made.pop("items", None)
        made.pop("properties", None)
    if (
        is_nullable
        or (is_open and made.get("type") == "object")
        or (made.get("type") == "array" and "items" not in made)
    ):
        made.pop("type", None)
    properties: dict[str, Tree] = made.get("properties") or {}
    others = made.get("additionalProperties")
    if properties:
        made["properties"] = {name: _swagger(below) for name, below in properties.items()}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = _swagger(made[key])
    required = [name for name in made.get("required") or () if not (properties.get(name) or {}).get("nullable")]
    if not required or (isinstance(others, dict) and others.get("nullable")):
        made.pop("required", None)
    else:
        made["required"] = required
    return made
