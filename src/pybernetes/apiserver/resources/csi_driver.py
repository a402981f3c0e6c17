"""CSIDrivers: the first change is the first generation."""

from __future__ import annotations

from pybernetes.apiserver.resources.kind import KindStrategy


class CSIDriverStrategy(KindStrategy):
    begins_generation = False
