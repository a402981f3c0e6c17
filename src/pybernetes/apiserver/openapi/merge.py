"""OpenAPI v2 documents of other servers, as parts of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from pybernetes.api.tree import Tree
from pybernetes.apiserver.openapi import gnostic

_DEFINITIONS: Final = "#/definitions/"
_PARAMETERS: Final = "#/parameters/"


def part_of(document: Any, group: str, version: str) -> Tree | None:
    """The paths of a group and version with the definitions that they speak of; None for what is no such document."""
    try:
        shared: Tree = document.get("parameters") or {}
        paths = {
            path: _with_parameters(item, shared)
            for path, item in document["paths"].items()
            if path == f"/apis/{group}/" or path.startswith(f"/apis/{group}/{version}/")
        }
        definitions: Tree = document.get("definitions") or {}
        found: Tree = {}
        left = list(_references(paths))
        while left:
            name = left.pop()
            if name not in found and name in definitions:
                found[name] = definitions[name]
                left += _references(definitions[name])
        made = {"paths": paths, "definitions": found}
        # It has to be one that can be told in protobuf too.
        gnostic.document(
            {"swagger": "", "info": {"title": "", "version": ""}, "security": [], "securityDefinitions": {}} | made
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return made if paths else None


def _with_parameters(item: Tree, shared: Tree) -> Tree:
    """A path with its parameters in the place of references to them."""

    def given(node: Tree) -> Tree:
        parameters = node.get("parameters")
        if not isinstance(parameters, list):
            return node
        return node | {
            "parameters": [shared.get(one.get("$ref", "").removeprefix(_PARAMETERS), one) for one in parameters]
        }

    return {key: given(one) if isinstance(one, dict) else one for key, one in given(item).items()}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith(_DEFINITIONS):
            yield reference.removeprefix(_DEFINITIONS)
        for below in node.values():
            yield from _references(below)
    elif isinstance(node, list):
        for below in node:
            yield from _references(below)


def merged(document: Tree, parts: Iterable[Tree]) -> Tree:
    """The document with the parts; a definition of theirs that differs from ours of its name gets another one."""
    paths, definitions = dict(document["paths"]), dict(document["definitions"])
    for part in parts:
        names: dict[str, str] = {}
        for name, schema in part["definitions"].items():
            if definitions.get(name, schema) != schema:
                names[name] = next(new for number in range(2, 1000) if (new := f"{name}_v{number}") not in definitions)
        rename = _renaming(names)
        for name, schema in part["definitions"].items():
            definitions.setdefault(names.get(name, name), rename(schema))
        for path, item in part["paths"].items():
            paths.setdefault(path, rename(item))
    return {**document, "paths": dict(sorted(paths.items())), "definitions": dict(sorted(definitions.items()))}


def _renaming(names: dict[str, str]) -> Callable[[Any], Any]:
    def rename(node: Any) -> Any:
        if isinstance(node, list):
            return [rename(below) for below in node]
        if not isinstance(node, dict):
            return node
        made = {key: rename(below) for key, below in node.items()}
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith(_DEFINITIONS):
            name = reference.removeprefix(_DEFINITIONS)
            made["$ref"] = _DEFINITIONS + names.get(name, name)
        return made

    return rename if names else lambda node: node
