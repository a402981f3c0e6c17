"""How many seats are wanted of a level, measured over time."""

from __future__ import annotations

import math
from collections.abc import Callable

from pybernetes.apiserver.stages.fairness.limits import Demand


class Meter:
    """Mean, deviation and high mark of a number that changes now and then; `take` begins anew."""

    def __init__(self, monotonic: Callable[[], float], value: int) -> None:
        self._monotonic = monotonic
        self._value = self._high = value
        self._began = self._last = monotonic()
        self._sum = self._squares = 0.0

    def set(self, value: int) -> None:
        self._pass()
        self._value = value
        self._high = max(self._high, value)

    def _pass(self) -> None:
        now = self._monotonic()
        lasted, self._last = now - self._last, now
        self._sum += self._value * lasted
        self._squares += self._value * self._value * lasted

    def take(self) -> Demand:
        self._pass()
        seconds = self._last - self._began
        mean = self._sum / seconds if seconds > 0 else float(self._value)
        variance = self._squares / seconds - mean * mean if seconds > 0 else 0.0
        found = Demand(self._high, mean, math.sqrt(max(variance, 0.0)))
        self._began, self._sum, self._squares, self._high = self._last, 0.0, 0.0, self._value
        return found
