"""Every kind's cells, by group and plural."""

from __future__ import annotations

from typing import Final

from pybernetes.apiserver.table.column import Cells

KINDS: Final[dict[tuple[str, str], Cells]] = {}
