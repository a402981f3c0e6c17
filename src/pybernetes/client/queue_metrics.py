"""What /metrics tells of work queues (`workqueue_*`): each queue keeps its own tally, which is read when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Final

from pybernetes.aio.clock import Clock
from pybernetes.telemetry.metrics import Computed, Histogram, Registry, Series

BUCKETS: Final = (1e-8, 1e-7, 1e-6, 9.999999999999999e-06, 9.999999999999999e-05, 0.001, 0.01, 0.1, 1.0, 10.0)
"""Upstream's, in the digits that it prints."""
LABELS: Final = ("name",)


class QueueTally:
    """What has happened to the keys of one queue."""

    __slots__ = ("_began", "_now", "_since", "adds", "depth", "retries", "waited", "worked")

    def __init__(self, clock: Clock, depth: Callable[[], int]) -> None:
        self._now = clock.monotonic
        self._since: dict[Hashable, float] = {}
        self._began: dict[Hashable, float] = {}
        self.adds = 0
        self.retries = 0
        self.depth = depth
        self.waited = Series(BUCKETS)
        self.worked = Series(BUCKETS)

    def added(self, key: Hashable) -> None:
        """It was not in the queue."""
        self.adds += 1
        self._since[key] = self._now()

    def taken(self, key: Hashable) -> None:
        now = self._began[key] = self._now()
        self.waited.observe(now - self._since.pop(key, now))

    def done(self, key: Hashable) -> None:
        began = self._began.pop(key, None)
        if began is not None:
            self.worked.observe(self._now() - began)

    def ages(self) -> list[float]:
        """For how long each key is being worked on."""
        now = self._now()
        return [now - began for began in self._began.values()]


known: Final[dict[str, QueueTally]] = {}
"""Of the queues of this process by their workers' name; a queue that is made anew takes its place."""


def add_queue_metrics(metrics: Registry, names: Mapping[str, str]) -> None:
    """Those of all queues of this process; `names` are what metrics call those that are named otherwise."""

    def each(read: Callable[[QueueTally], float]) -> Callable[[], Iterator[tuple[tuple[str, ...], float]]]:
        return lambda: (((names.get(name, name),), read(tally)) for name, tally in sorted(known.items()))

    def series(read: Callable[[QueueTally], Series]) -> Callable[[], Iterator[tuple[tuple[str, ...], Series]]]:
        return lambda: (((names.get(name, name),), read(tally)) for name, tally in sorted(known.items()))

    def counter(name: str, help: str, read: Callable[[QueueTally], float]) -> Computed:
        return Computed(name, help, LABELS, each(read), kind="counter")

    def gauge(name: str, help: str, read: Callable[[QueueTally], float]) -> Computed:
        return Computed(name, help, LABELS, each(read))

    def histogram(name: str, help: str, read: Callable[[QueueTally], Series]) -> Histogram:
        return Histogram(name, help, LABELS, BUCKETS, read=series(read))

    longest = "How many seconds has the longest running processor for workqueue been running."
    unfinished = "How many seconds of work has done that is in progress and hasn't been observed by work_duration."
    queued = "How long in seconds an item stays in workqueue before being requested."
    worked = "How long in seconds processing an item from workqueue takes."
    metrics.add(
        counter("workqueue_adds_total", "Total number of adds handled by workqueue", lambda one: one.adds),
        gauge("workqueue_depth", "Current depth of workqueue", lambda one: one.depth()),
        gauge("workqueue_longest_running_processor_seconds", longest, lambda one: max(one.ages(), default=0.0)),
        histogram("workqueue_queue_duration_seconds", queued, lambda one: one.waited),
        counter("workqueue_retries_total", "Total number of retries handled by workqueue", lambda one: one.retries),
        gauge("workqueue_unfinished_work_seconds", unfinished, lambda one: sum(one.ages())),
        histogram("workqueue_work_duration_seconds", worked, lambda one: one.worked),
    )
