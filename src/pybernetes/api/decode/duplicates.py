"""Fields that stand twice in one object of a JSON text; a decoded tree no longer knows of them."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final

from pybernetes.api.json_text import well_formed

_Pairs = list[tuple[str, object]]


class _Doubled(Exception):
    """There is a duplicate somewhere."""


def duplicate_fields(raw: bytes | str) -> list[str]:
    """Paths of the fields that are repeated ("spec.foo", "spec.containers[0].name"), in the order of the text.

    The text must be valid JSON. Texts without duplicates, nearly all, take one pass of the C parser.
    """
    text = raw if isinstance(raw, str) else well_formed(raw).decode()
    try:
        _CHECK(text)
    except _Doubled:
        return [path for path, is_repeated in _walk(text, ()) if is_repeated]
    return []


def in_text_order(raw: bytes, unknown: Collection[str]) -> list[tuple[str, bool]]:
    """Paths of unknown fields and of repeated ones, and whether it is told of as repeated, as a strict reader meets them."""
    return _walk(well_formed(raw).decode(), unknown)


class _Object:
    """An object with all its pairs."""

    def __init__(self, pairs: _Pairs) -> None:
        self.pairs = pairs


def _refuse_doubles(pairs: _Pairs) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _Doubled


_CHECK: Final = json.JSONDecoder(object_pairs_hook=_refuse_doubles).decode
"""Made once: `json.loads` with a hook makes a decoder for every text."""


def _walk(text: str, unknown: Collection[str]) -> list[tuple[str, bool]]:
    found: dict[tuple[str, bool], None] = {}
    _look(json.loads(text, object_pairs_hook=_Object), "", unknown, found)
    return list(found)


def _look(value: object, path: str, unknown: Collection[str], found: dict[tuple[str, bool], None]) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _look(item, f"{path}[{index}]", unknown, found)
    elif isinstance(value, _Object):
        seen: set[str] = set()
        for key, item in value.pairs:
            below = f"{path}.{key}" if path else key
            if key in seen:
                found[below, True] = None
            seen.add(key)
            if below in unknown:
                found[below, False] = None
            _look(item, below, unknown, found)
