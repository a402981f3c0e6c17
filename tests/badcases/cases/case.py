"""What a case is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Tree = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One way to go wrong."""

    name: str
    objects: tuple[Tree, ...]
    ask: str
    what: str
    seen: str = ""
    next: str = ""
