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
    description: str = ""
    """For people; upstream takes it from the kind's documentation."""

    @property
    def definition(self) -> Tree:
        """As it stands in a Table; upstream writes empty fields too."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description or f"{self.name} of the object.",
            "priority": self.priority,
        }
