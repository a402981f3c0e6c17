"""What a column is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct

from pybernetes.api.tree import Tree

Cells: TypeAlias = Callable[[Tree, datetime], list[Any]]
"""The cells of an object, in the order of its columns, at a time."""


class Column(Struct, frozen=True):
    """One column of a Table; with a `priority` above 0 it is for wide output only."""

    name: str
    type: str
    format: str = ""
    priority: int = 0
    description: str | None = None
    """For people; upstream takes it from the kind's documentation. None: something that is not empty there."""

    @property
    def definition(self) -> Tree:
        """As it stands in a Table; upstream writes empty fields too."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": f"{self.name} of the object." if self.description is None else self.description,
            "priority": self.priority,
        }
