"""The forms that most defaults have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pybernetes.api.tree import Tree

Default: TypeAlias = Callable[[Tree], None]
"""Fills in one definition's fields, in place; safe to repeat."""

Maker: TypeAlias = Callable[[], Any]


def fields(**values: Any) -> Default:
    """Set what is absent; a callable makes a value that is not to be shared. A trailing underscore is cut off names."""
    pairs = [(name.rstrip("_"), value) for name, value in values.items()]

    def default(tree: Tree) -> None:
        for name, value in pairs:
            if name not in tree or tree[name] is None:
                tree[name] = value() if callable(value) else value

    return default


def set_absent(tree: Tree, name: str, value: Any) -> None:
    if tree.get(name) is None:
        tree[name] = value


def set_empty(tree: Tree, name: str, value: Any) -> None:
    """As `set_absent`, also where an empty value means none, as for fields that cannot tell the two apart."""
    if not tree.get(name):
        tree[name] = value
