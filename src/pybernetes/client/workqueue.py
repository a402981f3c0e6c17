"""A queue of keys for level-based controllers: each key once, never at two workers at a time, again after a delay."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.api import errors
from pybernetes.client import queue_metrics
from pybernetes.client.queue_metrics import QueueTally

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS = 0.005
LAST_RETRY_SECONDS = 1000.0


class QueueClosedError(Exception):
    """The queue was closed; no more keys come."""


class TerminalError(Exception):
    """A reconcile failed in a way that only a change of the object can heal: no retry."""


class WorkQueue(Generic[K]):
    """Keys that need work.

    A key added while it waits is there once; added while it is worked on, it comes again after `done`.
    Not safe to use from other threads.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: set[K] = set()
        self._failures: dict[K, int] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._delayed: list[tuple[float, int, K]] = []
        self._deadlines: dict[K, float] = {}
        self._sequence = 0
        self._timers = Scope("workqueue")
        self._timer: asyncio.Task[None] | None = None
        self._timer_deadline = 0.0
        self._closed = False
        self.tally = QueueTally(self._clock, self.__len__)

    def __len__(self) -> int:
        """How many keys are ready to be worked on."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Make sure that the key is worked on (again) from now on."""
        if self._closed or key in self._dirty:
            return
        self._dirty.add(key)
        self.tally.added(key)
        if key not in self._working:
            self._ready.append(key)
            self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key after a delay; of several pending delays of a key the shortest counts."""
        if seconds <= 0:
            self.add(key)
            return
        deadline = self._clock.monotonic() + seconds
        if self._closed or self._deadlines.get(key, deadline + 1) <= deadline:
            return
        self._deadlines[key] = deadline
        self._sequence += 1
        heapq.heappush(self._delayed, (deadline, self._sequence, key))
        self._arm()

    def add_rate_limited(self, key: K) -> None:
        """Add the key after a delay that doubles with each call, from 5 ms to 1000 s, until `forget`."""
        self.tally.retries += 1
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures, 32)))

    def forget(self, key: K) -> None:
        """Start the key's back-off from the beginning."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often the key was rate-limited since it was forgotten."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; the caller calls `done` when it is finished with it. Raises QueueClosedError."""
        while not self._ready:
            if self._closed:
                raise QueueClosedError
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._working.add(key)
        self.tally.taken(key)
        return key

    def done(self, key: K) -> None:
        """The work on the key has ended; if it was added meanwhile, it is ready again."""
        self._working.discard(key)
        self.tally.done(key)
        if key in self._dirty:
            self._ready.append(key)
            self._wake()

    def close(self) -> None:
        """No more keys are given out, and waiting `get`s end. Safe to repeat."""
        self._closed = True
        self._ready.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiters:
            self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _arm(self) -> None:
        """One timer task for the earliest deadline, and none while nothing is delayed."""
        deadline = self._delayed[0][0]
        if self._timer is not None:
            if self._timer_deadline <= deadline:
                return
            self._timer.cancel()
        self._timer_deadline = deadline
        self._timer = self._timers.spawn(self._sleep_until_due(), "timer")

    async def _sleep_until_due(self) -> None:
        await self._clock.sleep(self._timer_deadline - self._clock.monotonic())
        now = self._clock.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            deadline, _, key = heapq.heappop(self._delayed)
            # A shorter delay that was asked for later has made this entry void.
            if self._deadlines.get(key) == deadline:
                del self._deadlines[key]
                self.add(key)
        self._timer = None
        if self._delayed and not self._closed:
            self._arm()


async def run_workers(
    queue: WorkQueue[K], reconcile: Callable[[K], Awaitable[float | None]], *, workers: int, name: str
) -> None:
    """Reconcile the queue's keys, at most `workers` at a time, until the queue is closed or the caller cancelled.

    A reconcile that returns a number wants to be called again after so many seconds. An error is a retry with
    back-off; TerminalError is logged and not retried. Workers exist only while there is work.
    """
    slots = asyncio.Semaphore(workers)
    queue_metrics.known[name] = queue.tally

    async def work(key: K) -> None:
        try:
            await _reconcile_once(queue, reconcile, key, name)
        finally:
            queue.done(key)
            slots.release()

    async with open_scope(name) as scope:
        while True:
            await slots.acquire()
            try:
                key = await queue.get()
            except QueueClosedError:
                return
            scope.spawn(work(key), str(key))


async def _reconcile_once(
    queue: WorkQueue[K], reconcile: Callable[[K], Awaitable[float | None]], key: K, name: str
) -> None:
    try:
        again = await reconcile(key)
    except TerminalError as error:
        queue.forget(key)
        log.error("reconcile failed for good controller=%s key=%s error=%s", name, key, error)
    except errors.StatusError as error:
        # Conflicts and the like are every day's business of optimistic concurrency.
        level = logging.DEBUG if error.code == 409 or queue.failures(key) < 3 else logging.WARNING
        log.log(level, "reconcile failed controller=%s key=%s code=%d error=%s", name, key, error.code, error.message)
        queue.add_rate_limited(key)
    except Exception:
        log.exception("reconcile failed controller=%s key=%s", name, key)
        queue.add_rate_limited(key)
    else:
        queue.forget(key)
        if again is not None:
            queue.add_after(key, again)
