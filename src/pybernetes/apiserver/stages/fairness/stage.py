"""The stage: a request goes on once it has its seats, or is told to come again later."""

from __future__ import annotations

from time import perf_counter
from typing import Final

from pybernetes.apiserver.chain import Handle
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, StreamResponse, StreamWriter
from pybernetes.apiserver.stages.fairness.fairness import Fairness
from pybernetes.apiserver.stages.fairness.level import Flow, RejectedError, Seats
from pybernetes.apiserver.stages.fairness.width import FindStored, width
from pybernetes.apiserver.stages.limit import is_long_running, too_many
from pybernetes.telemetry.metrics import Histogram

LISTING: Final = frozenset(("list", "watch"))


class Held:
    """A request's seats while it has them. Giving them back is safe to repeat."""

    __slots__ = ("_began", "_flow", "_queued", "_seats")

    def __init__(self, flow: Flow, seats: int, queued: Seats | None) -> None:
        self._flow, self._seats, self._queued = flow, seats, queued
        flow.begin(seats)
        self._began = perf_counter()

    def release(self) -> None:
        if not self._seats:
            return
        seats, self._seats = self._seats, 0
        self._flow.end(seats, perf_counter() - self._began)
        self._flow.level.release(seats, self._queued)


class PriorityAndFairness:
    """`--enable-priority-and-fairness`. A watch holds its seats until it has sent what there is."""

    def __init__(self, fairness: Fairness, find: FindStored, waits: Histogram, wait_seconds: float) -> None:
        self._fairness = fairness
        self._find = find
        self._waits = waits
        self._wait_seconds = wait_seconds

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer:
        watches = ctx.info.verb == "watch"
        if not watches and is_long_running(ctx):
            return await proceed(ctx)
        flow = self._fairness.classify(ctx)
        ctx.headers = (*ctx.headers, *flow.headers) if ctx.headers else flow.headers
        level = flow.level
        seats = width(ctx, self._find, level.limits.widest) if ctx.info.verb in LISTING else 1
        if not level.seize(seats):
            return await self._wait(ctx, proceed, flow, seats)
        if watches:
            return await _until_initialized(ctx, proceed, Held(flow, seats, None))
        # As Held, without making one: this is every request.
        flow.begin(seats)
        began = perf_counter()
        try:
            return await proceed(ctx)
        finally:
            flow.end(seats, perf_counter() - began)
            level.release(seats)

    async def _wait(self, ctx: RequestContext, proceed: Handle, flow: Flow, seats: int) -> Answer:
        try:
            queued = await self._queue(ctx, flow, seats)
        except RejectedError:
            return too_many(flow.level.retry.refuse())
        held = Held(flow, seats, queued)
        if ctx.info.verb == "watch":
            return await _until_initialized(ctx, proceed, held)
        try:
            return await proceed(ctx)
        finally:
            held.release()

    async def _queue(self, ctx: RequestContext, flow: Flow, seats: int) -> Seats:
        """Raises RejectedError."""
        began = perf_counter()
        try:
            queued = await flow.level.wait(ctx, flow, seats, self._wait_seconds)
        except RejectedError as error:
            reason = str(error)
            flow.rejected[reason] = flow.rejected.get(reason, 0) + 1
            self._waits.observe(perf_counter() - began, flow.level.name, flow.name, "false")
            raise
        ctx.waited += perf_counter() - began
        self._waits.observe(perf_counter() - began, flow.level.name, flow.name, "true")
        return queued


async def _until_initialized(ctx: RequestContext, proceed: Handle, held: Held) -> Answer:
    ctx.on_initialized = held.release
    try:
        answer = await proceed(ctx)
    except BaseException:
        held.release()
        raise
    if not isinstance(answer, StreamResponse):
        held.release()
        return answer
    run = answer.run

    async def run_and_release(writer: StreamWriter) -> None:
        try:
            await run(writer)
        finally:
            held.release()

    answer.run = run_and_release
    return answer
