"""Whether an applied configuration fits its schema, with the words that server-side apply uses for what does not."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.patch import go_text
from pybernetes.api.patch.fields import text
from pybernetes.api.patch.typed import ElementError, element_of
from pybernetes.api.schema import Json, Kind, ListType, Schema

_NUMERIC = frozenset({Kind.INTEGER, Kind.NUMBER})
_FREE = frozenset({Kind.ANY, Kind.INT_OR_STRING})
"""What is only looked at when it is decoded."""
_REPEATED = "duplicate entries for key "
_PLAIN_STRINGS = frozenset({"", "byte"})
"""Formats under which a value must be a string here; others (times above all) are looked at when it is decoded."""


def errors(schema: Schema, value: Json, *, repeats: bool = False) -> str:
    """What is wrong with the configuration, empty if nothing; several errors come as a list of lines.

    In one that `repeats`, elements of a list may have the same key.
    """
    found = [line for line in _walk(schema, value, "") if not (repeats and _REPEATED in line)]
    if len(found) < 2:
        return "".join(found)
    return "\n".join(["errors:", *(f"  {line}" for line in found)])


def _walk(schema: Schema, value: Json, path: str) -> Iterator[str]:
    if value is None:
        return
    if schema.kind is Kind.LIST:
        if isinstance(value, list):
            yield from _list(schema, value, path)
        else:
            yield _line(path, f"expected list, got &{{{go_text.plain(value)}}}")
    elif schema.kind in (Kind.OBJECT, Kind.MAP):
        if isinstance(value, dict):
            yield from _map(schema, value, path)
        else:
            yield _line(path, f"expected map, got &{{{go_text.plain(value)}}}")
    elif schema.kind not in _FREE and (wrong := _scalar_error(schema, value)):
        yield _line(path, wrong)


def _line(path: str, message: str) -> str:
    return f"{path}: {message}" if path else message


def _map(schema: Schema, value: dict[str, Json], path: str) -> Iterator[str]:
    for name, held in value.items():
        child = schema.child(name)
        if child is None:
            yield f"{path}.{name}: field not declared in schema"
            return
        yield from _walk(child, held, f"{path}.{name}")


def _list(schema: Schema, value: list[Json], path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        place = f"[{index}]"
        if schema.list_type is not ListType.ATOMIC:
            try:
                element = element_of(schema, item)
            except ElementError as error:
                yield _line(path, f"element {index}: {error}")
                return  # upstream looks at none behind it
            place = text(element)
            if element in seen:
                yield _line(path, f"{_REPEATED}{place}")
            seen.add(element)
        if schema.items is not None:
            yield from _walk(schema.items, item, path + place)


def _scalar_error(schema: Schema, value: Json) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if schema.kind in _NUMERIC:
        return "" if is_number else f"expected numeric (int or float), got {go_text.type_name(value)}"
    if schema.kind is Kind.STRING and schema.format in _PLAIN_STRINGS:
        if isinstance(value, str):
            return ""
        return f"expected string, got &value.valueUnstructured{{Value:{go_text.syntax(value)}}}"
    if schema.kind is Kind.BOOLEAN:
        return "" if isinstance(value, bool) else f"expected boolean, got &{{{go_text.plain(value)}}}"
    return f"expected any scalar, got &{{{go_text.plain(value)}}}" if isinstance(value, (dict, list)) else ""
