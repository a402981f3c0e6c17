"""What simulated containers have written. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import ceil, floor, inf
from typing import Final

from msgspec import Struct

from pybernetes.api.time import seconds
from pybernetes.simulator.stages import Logs

USUAL: Final = Logs(("{container} of pod {namespace}/{pod} has started on {node} (simulated)",))
"""What a container says whose rules say nothing of it."""


class Selection(Struct, frozen=True):
    """What of a log is wanted (PodLogOptions)."""

    tail: int | None = None
    since: float = 0.0
    timestamps: bool = False
    limit: int | None = None

    @classmethod
    def of(cls, query: Mapping[str, str], now: float) -> Selection:
        """Raises ValueError."""
        since = 0.0
        if "sinceSeconds" in query:
            since = now - int(query["sinceSeconds"])
        elif "sinceTime" in query:
            since = seconds(query["sinceTime"])
        tail, limit = query.get("tailLines"), query.get("limitBytes")
        return cls(
            tail=None if tail is None else max(0, int(tail)),
            since=since,
            timestamps=query.get("timestamps", "").lower() in ("1", "true"),
            limit=None if limit is None else int(limit),
        )


class Log(Struct, frozen=True):
    """The log of one attempt of a container: its lines are numbered from 0, each has its moment."""

    logs: Logs
    began: float
    values: Mapping[str, str]
    """What `{pod}` and the like stand for in a line; `{count}` is the line's number."""

    def count(self, until: float) -> int:
        """How many lines there are then."""
        if until < self.began or not self.logs.lines:
            return 0
        if not self.logs.every:
            return len(self.logs.lines)
        return floor((until - self.began) / self.logs.every) + 1

    def moment(self, index: int) -> float:
        """When a line is written; infinite for one that never is."""
        if self.logs.every:
            return self.began + index * self.logs.every
        return self.began if index < len(self.logs.lines) else inf

    def first(self, selection: Selection, until: float) -> int:
        """The first line that is wanted of those that there are."""
        count, first = self.count(until), 0
        if selection.since > self.began:
            first = ceil((selection.since - self.began) / self.logs.every) if self.logs.every else count
        return max(first, count - selection.tail) if selection.tail is not None else first

    def text(self, first: int, until: float, *, timestamps: bool) -> Iterator[bytes]:
        """Lines from `first` on."""
        for index in range(first, self.count(until)):
            line = self.logs.lines[index % len(self.logs.lines)]
            for name, value in {**self.values, "count": str(index)}.items():
                line = line.replace(f"{{{name}}}", value)
            stamp = f"{datetime.fromtimestamp(self.moment(index), UTC):%Y-%m-%dT%H:%M:%S.%f}000Z " if timestamps else ""
            yield f"{stamp}{line}\n".encode()
