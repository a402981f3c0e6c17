"""Time as a value that is passed in, so that every decision can be tested without waiting."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall clock for what is written on objects, monotonic clock for durations."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that moves only when told to; sleepers wake in the order of their deadlines."""

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = now
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._start.timestamp() + self._elapsed, UTC)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        wake = asyncio.Event()
        entry = (self._elapsed + seconds, wake)
        self._sleepers.append(entry)
        try:
            if seconds > 0:
                await wake.wait()
            else:
                await asyncio.sleep(0)
        finally:
            self._sleepers.remove(entry)

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking each sleeper at its deadline and letting it run."""
        await self.settle()
        target = self._elapsed + seconds
        while due := [entry for entry in self._sleepers if entry[0] <= target and not entry[1].is_set()]:
            deadline, wake = min(due, key=lambda entry: entry[0])
            self._elapsed = max(self._elapsed, deadline)
            wake.set()
            await self.settle()
        self._elapsed = target
        await self.settle()

    async def settle(self, turns: int = 20) -> None:
        """Let everything that can run now run, without moving time."""
        for _ in range(turns):
            await asyncio.sleep(0)
