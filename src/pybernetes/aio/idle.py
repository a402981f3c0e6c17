"""Knowing when nobody needs a server any more."""

from collections.abc import Iterator
from contextlib import contextmanager

from pybernetes.aio.clock import Clock


class Idle:
    """Counts the requests under way; `wait` returns once there has been none for `seconds`."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._busy = 0
        self._since = clock.monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A request is under way."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._since = self._clock.monotonic()

    async def wait(self) -> None:
        """Until nothing has been under way for so long."""
        while (left := self._left()) > 0:
            await self._clock.sleep(left)

    def _left(self) -> float:
        return self._seconds if self._busy else self._since + self._seconds - self._clock.monotonic()
