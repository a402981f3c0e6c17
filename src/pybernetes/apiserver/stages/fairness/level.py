"""A priority level: its seats, and fair queues of requests that wait for one.

While a seat is free and nobody waits, a request costs two additions. Else it joins the shortest queue of its flow's hand,
and the queues take turns by start-time fair queuing (Goyal, Vin, Cheng 1996): each has a virtual time that grows with the
seat-seconds its requests have had, and the queue whose next request would end first is next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.stages.fairness.demand import Meter
from pybernetes.apiserver.stages.fairness.limits import Limits, Shape
from pybernetes.apiserver.stages.fairness.retry import RetryAfter
from pybernetes.apiserver.stages.fairness.shuffle import deal
from pybernetes.telemetry.metrics import Series

BY_USER, BY_NAMESPACE = "ByUser", "ByNamespace"
GUESS_SECONDS: Final = 0.003
"""How long a request is thought to take until it has ended."""
CONCURRENCY, FULL, LATE, GONE = "concurrency-limit", "queue-full", "time-out", "cancelled"


class RejectedError(Exception):
    """There is no room; `args[0]` is the reason that the metrics tell."""


class Flow(Struct, eq=False):
    """The requests of one FlowSchema: where they queue, and how many there are."""

    name: str
    level: Level
    execution: Series
    """How long the requests run."""
    distinguisher: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    dispatched: int = 0
    executing: int = 0
    seats: int = 0
    waiting: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """By reason."""

    def begin(self, seats: int) -> None:
        """A request has got its seats."""
        self.dispatched += 1
        self.executing += 1
        self.seats += seats

    def end(self, seats: int, seconds: float) -> None:
        """It has had them for so long."""
        self.executing -= 1
        self.seats -= seats
        self.execution.observe(seconds)

    def distinguish(self, ctx: RequestContext) -> str:
        """What sets this request's flow apart from others of the schema."""
        if self.distinguisher == BY_USER:
            return ctx.user.name
        return ctx.info.namespace if self.distinguisher == BY_NAMESPACE else ""


class Waiting(Struct, eq=False):
    """A request that waits."""

    ctx: RequestContext
    flow: Flow
    width: int
    arrived: float
    ready: asyncio.Future[None]


class Queue(Struct, eq=False):
    """One queue; `virtual` is when its next request begins, in seat-seconds."""

    index: int
    requests: deque[Waiting] = field(default_factory=deque)
    executing: int = 0
    seats: int = 0
    virtual: float = 0.0

    @property
    def wanted(self) -> int:
        """Seats in use and waited for."""
        return self.seats + sum(one.width for one in self.requests)


class Seats(Struct, eq=False):
    """What a request holds that came through a queue."""

    queue: Queue
    width: int
    began: float


class Level:
    """One PriorityLevelConfiguration; `limit` is what it may use now."""

    def __init__(self, name: str, monotonic: Callable[[], float], contended: Callable[[], None]) -> None:
        self.name = name
        self.uid = ""
        self.shape = Shape()
        self.limits = Limits(0, 0, 0, 1)
        self.limit = 0
        self.in_use = 0
        self.executing = 0
        self.waiting = 0
        self.quiescing = False
        self.retry = RetryAfter(monotonic)
        self.meter: Meter | None = None
        self.smoothed = 0.0
        self.queues: list[Queue] = []
        self._monotonic = monotonic
        self._contended = contended
        self._busy: dict[Queue, None] = {}
        self._virtual = 0.0

    def configure(self, uid: str, shape: Shape, limits: Limits) -> None:
        """Take another configuration; requests that wait in a queue too many are still served."""
        if limits != self.limits:
            self.limits, self.limit = limits, limits.initial
        self.uid, self.shape, self.quiescing = uid, shape, False
        del self.queues[shape.queues :]
        self.queues += [Queue(index) for index in range(len(self.queues), shape.queues)]
        self._dispatch()

    def set_limit(self, limit: int) -> None:
        self.limit = limit
        self._dispatch()

    @property
    def demand(self) -> int:
        return self.in_use + sum(one.width for queue in self._busy for one in queue.requests)

    def seize(self, width: int) -> bool:
        """Take seats if they are free now. What was seized is given back by `release`."""
        if not self.shape.exempt and (self.waiting or not self._fits(width)):
            return False
        self.in_use += width
        self.executing += 1
        if self.meter is not None:
            self.meter.set(self.demand)
        return True

    def _fits(self, width: int) -> bool:
        return self.in_use + width <= self.limit or (self.in_use == 0 and self.limit > 0)

    def release(self, width: int, seats: Seats | None = None) -> None:
        """Give seats back; `seats` is what `wait` gave for them."""
        self.in_use -= width
        self.executing -= 1
        if seats is not None:
            queue = seats.queue
            queue.executing -= 1
            queue.seats -= width
            queue.virtual += width * (self._monotonic() - seats.began - GUESS_SECONDS)
        if self.waiting:
            self._dispatch()
        if self.meter is not None:
            self.meter.set(self.demand)

    async def wait(self, ctx: RequestContext, flow: Flow, width: int, seconds: float) -> Seats:
        """Queue for seats. Raises RejectedError."""
        self._contended()
        if not self.queues:
            raise RejectedError(CONCURRENCY)
        queue = self._queue_for(f"{flow.name}/{flow.distinguish(ctx)}")
        if len(queue.requests) >= self.shape.queue_length:
            raise RejectedError(FULL)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        one = Waiting(ctx, flow, width, self._monotonic(), ready)
        self._join(queue, one)
        try:
            async with asyncio.timeout(seconds):
                await ready
        except TimeoutError:
            if ready.cancelled():
                self._leave(queue, one)
                raise RejectedError(LATE) from None
        except asyncio.CancelledError:
            if ready.cancelled():
                self._leave(queue, one)
                flow.rejected[GONE] = flow.rejected.get(GONE, 0) + 1
            else:
                self.release(width, Seats(queue, width, self._monotonic()))
            raise
        return Seats(queue, width, self._monotonic())

    def _queue_for(self, flow: str) -> Queue:
        hand = deal(flow, len(self.queues), self.shape.hand)
        return min((self.queues[card] for card in hand), key=lambda queue: queue.wanted)

    def _join(self, queue: Queue, one: Waiting) -> None:
        if not queue.requests and not queue.executing:
            queue.virtual = max(queue.virtual, self._virtual)
        queue.requests.append(one)
        self._busy[queue] = None
        self.waiting += 1
        one.flow.waiting += 1
        if self.meter is not None:
            self.meter.set(self.demand)
        self._dispatch()

    def _leave(self, queue: Queue, one: Waiting) -> None:
        if one in queue.requests:
            queue.requests.remove(one)
            self._left(queue, one)

    def _left(self, queue: Queue, one: Waiting) -> None:
        self.waiting -= 1
        one.flow.waiting -= 1
        if not queue.requests:
            self._busy.pop(queue, None)

    def _dispatch(self) -> None:
        """Give free seats to the requests whose turn it is."""
        while self._busy:
            queue = min(self._busy, key=lambda each: each.virtual + each.requests[0].width * GUESS_SECONDS)
            one = queue.requests[0]
            if not (self.shape.exempt or self._fits(one.width)):
                return
            queue.requests.popleft()
            self._left(queue, one)
            if one.ready.cancelled():
                continue
            self._virtual = max(self._virtual, queue.virtual)
            queue.virtual += one.width * GUESS_SECONDS
            queue.executing += 1
            queue.seats += one.width
            self.in_use += one.width
            self.executing += 1
            one.ready.set_result(None)
