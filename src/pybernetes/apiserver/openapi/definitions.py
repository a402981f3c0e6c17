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

from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import API_LEVEL
from pybernetes.api.tree import Tree

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
ALWAYS = tuple(
    META + name
    for name in ("APIResourceList", "DeleteOptions", "ListMeta", "ObjectMeta", "Patch", "Status", "WatchEvent")
)
"""What every group's paths speak of."""


@cache
def _facts() -> dict[str, Tree]:
    raw = (files("pybernetes.api") / "facts" / f"schema-{API_LEVEL}.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, dict[str, Any]])


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
        left += [one for one in _references(facts[name]) if one in facts and one not in found]
    return sorted(found)


def _references(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def rendered(name: str, prefix: str) -> Tree:
    """One definition with references below `prefix` ("#/definitions/")."""
    made = _render(_facts()[name], _described().get(name) or {}, prefix)
    assert isinstance(made, dict)
    return made


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
