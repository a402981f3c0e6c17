"""Empty lists in fields that are always written: who sends one owns it, and yet nothing is stored of it.

Upstream keeps objects as protobuf, which cannot tell an empty list from none.
"""

from __future__ import annotations

from typing import Any

from pybernetes.api.schema import Schema
from pybernetes.api.tree import Tree


def emptied(schema: Schema, tree: Tree) -> Tree:
    """The object as it comes back from the store; it may share what does not change, nothing is changed in place."""
    made: Tree = _emptied(schema, tree)
    return made


def _emptied(schema: Schema, value: Any) -> Any:
    if isinstance(value, list):
        if schema.items is None:
            return value
        items = [_emptied(schema.items, item) if isinstance(item, dict | list) else item for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    changed: Tree = {}
    for name, held in value.items():
        if held == [] and isinstance(held, list) and name in schema.zeros and schema.zeros[name] is None:
            changed[name] = None
        elif held and isinstance(held, dict | list) and (child := schema.child(name)) is not None:
            made = _emptied(child, held)
            if made is not held:
                changed[name] = made
    return {**value, **changed} if changed else value
