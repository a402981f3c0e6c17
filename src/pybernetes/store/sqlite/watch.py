"""Live watches: committed batches fan out to bounded buffers on the event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from pybernetes.store.backend import CompactedError, Event

BUFFER = 65_536
"""Events a watcher may lag behind before it is dropped."""

HISTORY_PAGE = 1_000


class Subscription:
    """A watcher's buffer. Filled by the hub, emptied by the iterator; both on the event loop."""

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.overflowed = False
        self.closed = False
        self._batches: deque[list[Event]] = deque()
        self._size = 0
        self._ready = asyncio.Event()

    def push(self, events: list[Event]) -> None:
        if self._size + len(events) > BUFFER:
            self.overflowed = True
            self._batches.clear()
        else:
            self._batches.append(events)
            self._size += len(events)
        self._ready.set()

    def close(self) -> None:
        self.closed = True
        self._ready.set()

    async def next(self) -> list[Event] | None:
        """Everything that has arrived since; None when the store has closed."""
        while not self._batches:
            if self.overflowed or self.closed:
                return None
            self._ready.clear()
            await self._ready.wait()
        events = [event for batch in self._batches for event in batch]
        self._batches.clear()
        self._size = 0
        return events


class Hub:
    """All live watchers of a store, and the newest revision that they have been told of."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._subscriptions: set[Subscription] = set()

    def publish(self, events: list[Event], revision: int) -> None:
        self.revision = max(self.revision, revision)
        if not events:
            return
        for subscription in self._subscriptions:
            matching = [event for event in events if event.key.startswith(subscription.prefix)]
            if matching:
                subscription.push(matching)

    def subscribe(self, prefix: bytes) -> Subscription:
        subscription = Subscription(prefix)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()


class LogWatcher:
    """First the history in (after, upto], then what the subscription brings: no gap, no repeat."""

    def __init__(
        self,
        subscription: Subscription,
        after: int,
        upto: int,
        history: Callable[[bytes, int, int, int], Awaitable[list[Event]]],
    ) -> None:
        self._subscription = subscription
        self._after, self._upto = after, upto
        self._history = history
        self.revision = after

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        last = self._after
        while last < self._upto:
            page = await self._history(self._subscription.prefix, last, self._upto, HISTORY_PAGE)
            if not page:
                break
            last = self.revision = page[-1].revision
            yield page
        if self.revision < self._upto:
            last = self.revision = self._upto
            yield []
        while (events := await self._subscription.next()) is not None:
            last = self.revision = events[-1].revision
            yield events
        if self._subscription.overflowed:
            raise CompactedError(last)

    async def ask_progress(self) -> None:
        """Nobody else writes: whoever has the revision of a write waits for its event."""
