"""The printer columns of a custom resource."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from pybernetes.api.time import TimeError, parse_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.table.cells import age, human_duration, name
from pybernetes.apiserver.table.column import Cells, Column

NAME: Final = Column("Name", "string", "name")
AGE: Final = Column("Age", "date")
_STEP: Final = re.compile(
    r"\.((?:[\w/-]|\\.)+)|\[(\d+|\*)\]|\[['\"]([^'\"]+)['\"]\]|\[\?\(@\.([\w.-]+)\s*==\s*['\"]([^'\"]*)['\"]\)\]"
)


def columns_of(version: Tree) -> tuple[Column, ...]:
    """The name, then what the definition names, or the age."""
    wanted = version.get("additionalPrinterColumns")
    if not wanted:
        return (NAME, AGE)
    return (NAME, *(_column(one) for one in wanted))


def _column(one: Tree) -> Column:
    words = one.get("description") or f"Custom resource definition column (in JSONPath format): {one['jsonPath']}"
    return Column(one["name"], one["type"], one.get("format", ""), one.get("priority", 0), words)


def cells_of(version: Tree) -> Cells:
    """What fills them."""
    wanted = version.get("additionalPrinterColumns")
    if not wanted:
        return lambda obj, now: [name(obj), age(obj, now)]
    return lambda obj, now: [name(obj), *(_cell(obj, one, now) for one in wanted)]


def _cell(obj: Tree, column: Tree, now: datetime) -> Any:
    found = list(_find(obj, column["jsonPath"]))
    if not found:
        return None
    value = found[0]
    if value is None:
        return "<no value>" if column["type"] == "string" else None
    match column["type"]:
        case "integer":
            return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "number":
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _ago(value, now)
        case _:
            return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _ago(value: Any, now: datetime) -> str | None:
    if not isinstance(value, str):
        return None
    if not value:
        return "<unknown>"
    try:
        return human_duration((now - parse_time(value)).total_seconds())
    except TimeError:
        return "<invalid>"


def _find(obj: Any, path: str) -> Iterator[Any]:
    """The values at a simple JSONPath: fields, indexes, and filters by equality."""
    values = [obj]
    for match in _STEP.finditer(path):
        dotted, index, quoted, filtered, wanted = match.groups()
        values = [
            below for value in values for below in _step(value, _plain(dotted) or quoted, index, filtered, wanted)
        ]
    yield from values


def _plain(name: str | None) -> str | None:
    """A name without the backslashes before its dots."""
    return name and re.sub(r"\\(.)", r"\1", name)


def _step(value: Any, key: str | None, index: str | None, filtered: str | None, wanted: str | None) -> Iterator[Any]:
    if key is not None:
        if isinstance(value, dict) and key in value:
            yield value[key]
    elif not isinstance(value, list):
        return
    elif index == "*":
        yield from value
    elif index is not None:
        yield from value[int(index) : int(index) + 1]
    elif filtered is not None:
        yield from (one for one in value if isinstance(one, dict) and str(one.get(filtered)) == wanted)
