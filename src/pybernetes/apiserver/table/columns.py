"""The columns of each kind, and the function that fills them."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from pybernetes.api.scheme import API_LEVEL
from pybernetes.api.tree import Tree
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.table.column import Cells, Column
from pybernetes.apiserver.table.kinds import KINDS

DEFAULT = (Column("Name", "string", "name"), Column("Created At", "date"))


@cache
def _recorded() -> dict[str, tuple[Column, ...]]:
    raw = (files("pybernetes.api") / "facts" / f"table-columns-{API_LEVEL}.json").read_bytes()
    return {key: tuple(Column(**column) for column in columns) for key, columns in msgspec.json.decode(raw).items()}


def columns_of(served: Served) -> tuple[Column, ...]:
    """The recorded columns of a built-in kind, a custom resource's own, or name and age."""
    resource = served.resource
    if served.columns is not None:
        return served.columns
    return _recorded().get(f"{resource.group or 'core'}/{resource.version}/{resource.plural}", DEFAULT)


def cells_of(served: Served) -> Cells:
    """What fills the columns."""
    if served.cells is not None:
        return served.cells
    resource = served.resource
    return KINDS.get((resource.group, resource.plural), name_and_age)


def name_and_age(obj: Tree, now: datetime) -> list[Any]:
    """For kinds without columns of their own."""
    metadata = obj["metadata"]
    return [metadata["name"], metadata.get("creationTimestamp", "")]
