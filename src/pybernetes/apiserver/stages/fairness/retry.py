"""How long a client is told to stay away: the longer, the more are turned away."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

MAX_SECONDS: Final = 32
MANY: Final = 3
"""So many refusals for each second of waiting double it."""


class RetryAfter:
    """Doubles while many requests are refused, goes down by a second at a time when few are."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.seconds = 1
        self._monotonic = monotonic
        self._refused: deque[tuple[int, int]] = deque()
        """Second and number of refusals in it, of the last ones."""
        self._raised = -MAX_SECONDS

    def refuse(self) -> int:
        """Note a refusal; the seconds to tell."""
        now = int(self._monotonic())
        if self._refused and self._refused[-1][0] == now:
            self._refused[-1] = now, self._refused[-1][1] + 1
            return self.seconds
        while self._refused and now - self._refused[0][0] > MAX_SECONDS:
            self._refused.popleft()
        recent = sum(count for second, count in self._refused if now - second <= self.seconds)
        self._refused.append((now, 1))
        if recent >= MANY * self.seconds and now - self._raised >= self.seconds:
            self.seconds, self._raised = min(self.seconds * 2, MAX_SECONDS), now
        elif recent < self.seconds and self.seconds > 1:
            self.seconds -= 1
        return self.seconds
