"""What is empty and what is not there: decoding drops both, upstream's structures and so its messages tell them apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from pybernetes.api.field import ErrorList, FieldError
from pybernetes.api.schema import Kind, Schema, schema_of
from pybernetes.api.tree import Tree

_SEGMENT: Final = re.compile(r"\[([^\]]*)\]|\.?([^.\[\]]+)")


def as_sent(errors: Iterable[FieldError], sent: Tree) -> ErrorList:
    """The errors with `{}` and `[]` where they tell of nothing (null) and the object as it was sent has these."""
    found = list(errors)
    try:
        schema = schema_of(str(sent.get("apiVersion")), str(sent.get("kind")))
    except KeyError:
        return found  # a custom resource, which keeps what is empty
    return [_as_sent(error, sent, schema) for error in found]


def _as_sent(error: FieldError, sent: Tree, schema: Schema) -> FieldError:
    if error.value is not None and not isinstance(error.value, dict | list):
        return error
    told = _filled(error.value, *_at(sent, schema, error.stands or error.field))
    return error if told is error.value else replace(error, value=told)


def _at(sent: Any, schema: Schema | None, path: str) -> tuple[Any, Schema | None]:
    """What stands at a field's path, and its type; None where the path leads nowhere."""
    for key, name in _SEGMENT.findall(path):
        if isinstance(sent, list):
            sent = sent[int(key)] if key.isdecimal() and int(key) < len(sent) else None
        else:
            sent = sent.get(key or name) if isinstance(sent, dict) else None
        schema = _below(schema, key or name)
    return sent, schema


def _below(schema: Schema | None, name: str) -> Schema | None:
    if schema is None or schema.kind is Kind.LIST:
        return schema and schema.items
    return schema.child(name)


def _filled(told: Any, sent: Any, schema: Schema | None) -> Any:
    """The value that is told; the very same one where nothing in it is empty."""
    if told is None:
        is_bag = schema is not None and schema.kind in (Kind.LIST, Kind.MAP)
        return sent if is_bag and sent in ({}, []) else None
    if isinstance(told, dict) and isinstance(sent, dict):
        by_name = {name.lower(): name for name in sent}
        filled = {}
        for title, below in told.items():
            name = by_name.get(title.lower(), "")
            filled[title] = _filled(below, sent.get(name), _below(schema, name)) if name else below
        return filled if any(filled[title] is not told[title] for title in told) else told
    if isinstance(told, list) and isinstance(sent, list) and len(told) == len(sent):
        pairs = [(one, _filled(one, other, _below(schema, ""))) for one, other in zip(told, sent, strict=True)]
        return [filled for _, filled in pairs] if any(one is not filled for one, filled in pairs) else told
    return told
