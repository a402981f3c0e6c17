"""A worker's alarm: one moment at which it is to look again although nothing happened."""

import asyncio
from collections.abc import Callable

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope


class Alarm:
    """At most one moment is set; setting another replaces it."""

    def __init__(self, scope: Scope, clock: Clock, ring: Callable[[], None]) -> None:
        self._scope, self._clock, self._ring = scope, clock, ring
        self._task: asyncio.Task[None] | None = None

    def set(self, seconds: float | None) -> None:
        """Ring once in so many seconds; None: not at all."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if seconds is not None:
            self._task = self._scope.spawn(self._run(max(0.01, seconds)), "alarm")

    async def _run(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._ring()
