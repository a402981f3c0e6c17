"""Schemas of the built-in definitions, as OpenAPI documents hold them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from pybernetes.api.schema import presence, schema_of
from pybernetes.api.scheme import API_LEVEL
from pybernetes.api.tree import Tree

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_FORMS: dict[tuple[str, bool], Tree] = {
    (_INT_OR_STRING, True): {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    (_INT_OR_STRING, False): {"format": "int-or-string", "type": "string"},
    ("io.k8s.apimachinery.pkg.api.resource.Quantity", False): {"type": "string"},
}
"""Values of two types: OpenAPI v2 has no words for them."""


@cache
def _facts() -> dict[str, Tree]:
    raw = (files("pybernetes.api") / "facts" / f"schema-{API_LEVEL}.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, dict[str, Any]])


class _Told(Struct):
    """What upstream publishes of fields and the package does not have: by definition and field."""

    enums: dict[str, dict[str, list[str]]]
    """The values that strings may have, of the field or of its items."""
    defaults: dict[str, dict[str, Any]]
    """Those that are not the zero value of the field's type."""


@cache
def _told() -> _Told:
    raw = (files("pybernetes.api") / "facts" / f"openapi-{API_LEVEL}.json").read_bytes()
    return msgspec.json.decode(raw, type=_Told)


@cache
def _described() -> dict[str, Tree]:
    """The definitions of the package `kubernetes-validate` with their prose; empty where it is not installed."""
    try:
        package = importlib.import_module("kubernetes_validate")
    except ImportError:
        return {}
    folder = Path(str(package.__file__)).parent / "kubernetes-json-schema"
    found = sorted(folder.glob(f"v{API_LEVEL}.*-local/_definitions.json")) or sorted(
        folder.glob(f"v{API_LEVEL}.*/_definitions.json")
    )
    if not found:
        return {}
    loaded: dict[str, Any] = json.loads(found[-1].read_text("utf-8"))
    definitions: dict[str, Tree] = loaded["$defs"]
    return definitions


def definition_of(api_version: str, kind: str) -> str:
    """The definition's name of a built-in kind; "" for kinds that have none."""
    try:
        return schema_of(api_version, kind).definition
    except KeyError:
        return ""


def closure(roots: Iterable[str]) -> list[str]:
    """The definitions and all that they refer to, sorted."""
    facts = _facts()
    found: set[str] = set()
    left = [name for name in roots if name in facts]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        left += [one for one in references(facts[name]) if one in facts and one not in found]
    return sorted(found)


def references(node: Any) -> Iterable[str]:
    """All that a tree refers to, as it stands there."""
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def rendered(name: str, prefix: str, *, defaults: bool) -> Tree:
    """One definition with references below `prefix` ("#/definitions/"); `defaults`: with those that Go's types have."""
    facts = _facts()[name]
    made = _render(facts, _described().get(name) or {}, prefix)
    assert isinstance(made, dict)
    properties = made.get("properties") or {}
    for field in ("apiVersion", "kind"):  # the facts say what an object of the kind has there
        if "enum" in properties.get(field, ()):
            del properties[field]["enum"]
    for field, values in _told().enums.get(name, {}).items():
        shown = properties[field]
        target = shown.get("items", shown.get("additionalProperties", shown))
        target["enum"] = values
        if target is shown:  # clients that know no enums show the text
            listed = "".join(f'\n - `"{value}"`' for value in values)
            shown["description"] = f"{shown.get('description', '')}\n\nPossible enum values:{listed}".lstrip("\n")
    if defaults:
        _add_defaults(name, facts.get("properties") or {}, properties)
    if (form := _FORMS.get((name, defaults))) is not None:
        made.pop("oneOf", None)
        made |= form
    return made


def _add_defaults(name: str, facts: Tree, properties: Tree) -> None:
    """What Go holds by value and always writes has its zero value for a default."""
    told = presence().get(name)
    for field, zero in (told.zeros if told is not None else {}).items():
        shown = properties.get(field)
        if shown is None or "default" in shown or (told is not None and field in told.pointers):
            continue
        reference = facts[field].get("$ref")
        is_struct = bool(_facts().get(reference or "", {}).get("properties"))
        if (is_struct and zero == {}) or (not reference and zero in ("", 0) and shown.get("format") != "byte"):
            shown["default"] = zero
            if "$ref" in shown:
                shown["allOf"] = [{"$ref": shown.pop("$ref")}]
    for field, value in _told().defaults.get(name, {}).items():
        properties[field]["default"] = value


def _render(node: Any, described: Any, prefix: str) -> Any:
    if not isinstance(node, dict):
        return node
    out: Tree = {}
    prose = described.get("description") if isinstance(described, dict) else None
    if isinstance(prose, str):
        out["description"] = prose
    for key, value in node.items():
        if key == "$ref":
            # OpenAPI 3.0 takes nothing beside a reference, so that it goes into an allOf when there is more.
            if len(node) == 1 and "description" not in out:
                out["$ref"] = prefix + value
            else:
                out["allOf"] = [{"$ref": prefix + value}]
        elif key == "properties":
            below = described.get("properties") or {} if isinstance(described, dict) else {}
            out[key] = {name: _render(one, below.get(name) or {}, prefix) for name, one in value.items()}
        elif key in ("items", "additionalProperties"):
            below = described.get(key) or {} if isinstance(described, dict) else {}
            out[key] = _render(value, below, prefix)
        else:
            out[key] = value
    return out
