"""`/debug/api_priority_and_fairness/`: levels, queues and the requests that wait, as comma-separated columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from pybernetes.aio.clock import Clock
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.pages import Pages, text
from pybernetes.apiserver.stages.fairness.fairness import Fairness
from pybernetes.apiserver.stages.fairness.level import GUESS_SECONDS, Level, Waiting

ROOT = "/debug/api_priority_and_fairness"
LEVELS = ("PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests", "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests")  # fmt: skip
QUEUES = ("PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR", "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum")  # fmt: skip
REQUESTS = ("PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistingsher", "ArriveTime", "InitialSeats", "FinalSeats", "AdditionalLatency", "StartTime")  # fmt: skip
DETAILS = ("UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource")
NEVER = "0001-01-01T00:00:00Z"


def add_pages(pages: Pages, fairness: Fairness, clock: Clock) -> None:
    """Serve the three dumps."""

    def levels(ctx: RequestContext) -> Answer:
        return text(200, table(LEVELS, (_level(fairness, level) for level in _sorted(fairness))), sniffed=True)

    def queues(ctx: RequestContext) -> Answer:
        return text(200, table(QUEUES, (row for level in _sorted(fairness) for row in _queues(level))), sniffed=True)

    def requests(ctx: RequestContext) -> Answer:
        detailed = bool(ctx.request.parameter("includeRequestDetails"))
        rows = (row for level in _sorted(fairness) for row in _requests(level, clock, detailed=detailed))
        return text(200, table((*REQUESTS, *DETAILS) if detailed else REQUESTS, rows), sniffed=True)

    pages.add(f"{ROOT}/dump_priority_levels", levels, listed=False)
    pages.add(f"{ROOT}/dump_queues", queues, listed=False)
    pages.add(f"{ROOT}/dump_requests", requests, listed=False)


def _sorted(fairness: Fairness) -> list[Level]:
    return [level for _, level in sorted(fairness.levels.items())]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns aligned by spaces, with a comma behind each but the last."""
    lines = [header, *rows]
    widths = [max(8, *(len(line[column]) + 2 for line in lines)) for column in range(len(header) - 1)]
    return "".join(
        "".join(f"{cell},".ljust(width) for cell, width in zip(line, widths, strict=False)) + line[-1] + "\n"
        for line in lines
    )


def _level(fairness: Fairness, level: Level) -> Sequence[str]:
    if not level.queues:
        return (level.name, *["<none>"] * (len(LEVELS) - 1))
    flows = [flow for flow in fairness.flows.values() if flow.level is level]
    refused = [
        sum(flow.rejected.get(reason, 0) for flow in flows) for reason in ("queue-full", "time-out", "cancelled")
    ]
    return (
        level.name,
        str(sum(bool(queue.requests) for queue in level.queues)),
        _truth(not level.waiting and not level.executing),
        _truth(level.quiescing),
        str(level.waiting),
        str(level.executing),
        str(sum(flow.dispatched for flow in flows)),
        *map(str, refused),
    )


def _queues(level: Level) -> Iterable[Sequence[str]]:
    if not level.queues:
        yield level.name, *["<none>"] * (len(QUEUES) - 1)
    for queue in level.queues:
        seats = sum(one.width for one in queue.requests)
        yield (
            level.name,
            str(queue.index),
            str(len(queue.requests)),
            str(queue.executing),
            str(queue.seats),
            f"{queue.virtual:.8f}ss",
            str(seats),
            str(seats),
            f"{seats * GUESS_SECONDS:.8f}ss",
        )


def _requests(level: Level, clock: Clock, *, detailed: bool) -> Iterable[Sequence[str]]:
    for queue in level.queues:
        for place, one in enumerate(queue.requests):
            arrived = clock.now() - timedelta(seconds=clock.monotonic() - one.arrived)
            row = (
                level.name,
                one.flow.name,
                str(queue.index),
                str(place),
                one.flow.distinguish(one.ctx),
                arrived.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                str(one.width),
                "0",
                "0s",
                NEVER,
            )
            yield (*row, *_details(one)) if detailed else row


def _details(one: Waiting) -> Sequence[str]:
    info = one.ctx.info
    version = f"{info.api_group}/{info.api_version}" if info.api_group else info.api_version
    return one.ctx.user.name, info.verb, info.path, info.namespace, info.name, version, info.resource, info.subresource


def _truth(value: bool) -> str:
    return "true" if value else "false"
