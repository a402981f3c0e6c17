"""Fields that stand twice in a JSON text of a built-in kind: Go's decoder reads each value into what the last one left.

So objects and maps are merged, lists element by element. What has no type of its own (raw values, custom resources)
and values of maps are made anew each time, so that the last one counts.
"""

from __future__ import annotations

import json
from typing import Any

from pybernetes.api.json_text import well_formed
from pybernetes.api.schema import Kind, Schema, presence
from pybernetes.api.tree import Tree


class _Object:
    """An object with all its pairs."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def merged(schema: Schema, raw: bytes) -> Any:
    """The value of a JSON text as Go has it. Of values that fit no type the first stays, which decoding then tells of."""
    return _onto(schema, None, json.loads(well_formed(raw), object_pairs_hook=_Object))


def _onto(schema: Schema | None, old: Any, value: Any) -> Any:
    if schema is None or schema.kind is Kind.ANY:
        return _plain(value)
    if schema.kind is Kind.LIST and isinstance(value, list):
        before = old if isinstance(old, list) else []
        return [
            _onto(schema.items, before[index] if index < len(before) else None, item)
            for index, item in enumerate(value)
        ]
    if not isinstance(value, _Object):
        return _plain(value)
    if schema.kind is Kind.MAP:
        return (old or {}) | {name: _onto(schema.items, None, held) for name, held in value.pairs}
    return _struct(schema, old or {}, value) if schema.properties else _plain(value)


def _struct(schema: Schema, old: Tree, value: _Object) -> Tree:
    out = dict(old)
    for name, held in value.pairs:
        child = schema.child(name)
        if name in out and child is not None:
            if _is_kept(schema, name, child, out[name], held):
                continue
            out[name] = _onto(child, out[name], held)
        else:
            out[name] = _onto(child, None, held)
    return out


def _is_kept(schema: Schema, name: str, child: Schema, old: Any, new: Any) -> bool:
    """Whether a value stays although there is another: null sets only what can be nil, and what is wrong is told of."""
    if new is None:
        told = presence().get(schema.definition)
        can_be_nil = child.kind in (Kind.MAP, Kind.LIST, Kind.ANY) or (told is not None and name in told.pointers)
        return not can_be_nil
    if child.kind in (Kind.OBJECT, Kind.MAP):
        return old is not None and not isinstance(old, dict)
    return child.kind is Kind.LIST and old is not None and not isinstance(old, list)


def _plain(value: Any) -> Any:
    if isinstance(value, _Object):
        return {name: _plain(held) for name, held in value.pairs}
    return [_plain(item) for item in value] if isinstance(value, list) else value
