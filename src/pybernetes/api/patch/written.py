"""The order of fields in a patched object as upstream writes it out: in it decoding finds what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.schema import Json


def after_merge(tree: Json, patch: Json) -> Json:
    """What a merge patch has been to is sorted by name; the rest is as it was."""
    if not isinstance(tree, dict) or not isinstance(patch, dict):
        return tree
    return {name: after_merge(tree[name], patch[name]) if name in patch else tree[name] for name in sorted(tree)}


def after_operations(tree: Json, pointers: Iterable[str]) -> Json:
    """What the pointers of a JSON patch pass through is sorted by name; what they lead to is as it was sent."""
    ways = [pointer.split("/")[1:] for pointer in pointers]
    return _along(tree, [[name.replace("~1", "/").replace("~0", "~") for name in way] for way in ways if way])


def _along(tree: Json, ways: list[list[str]]) -> Json:
    if not ways or not isinstance(tree, dict | list):
        return tree
    below: dict[str, list[list[str]]] = {}
    for first, *rest in ways:
        below.setdefault(first, []).extend([rest] if rest else [])
    if isinstance(tree, list):
        return [_along(item, below.get(str(index), [])) for index, item in enumerate(tree)]
    return {name: _along(tree[name], below.get(name, [])) for name in sorted(tree)}
