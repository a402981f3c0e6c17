"""Which events become new objects, which count up an old one, and which are spam: pure decisions.

The rules and numbers are those of upstream's event correlator: similar events are combined after 10 different messages
in 10 minutes, and one source may write 25 events about one object, then one in 5 minutes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct, field

SIMILAR_MESSAGES = 10
SIMILAR_SECONDS = 600.0
SPAM_BURST = 25.0
SPAM_SECONDS_PER_EVENT = 300.0
REMEMBERED = 4096
COMBINED_PREFIX = "(combined from similar events): "

K = TypeVar("K")
V = TypeVar("V")

Subject: TypeAlias = tuple[str, ...]
"""The involved object, field by field."""


class Occurrence(Struct, frozen=True):
    """Something to tell about an object."""

    subject: Subject
    type: str
    reason: str
    message: str


class Series(Struct):
    """An event object (it exists once it has a `name`), what it says now and how often that happened."""

    key: tuple[Subject, str, str, str]
    message: str
    first: str
    last: str
    name: str = ""
    count: int = 0


class _Similar(Struct):
    last: float
    messages: set[str] = field(default_factory=set)


class _Bucket(Struct):
    tokens: float
    filled: float


class _Recent(Generic[K, V]):
    """The most recently used entries."""

    def __init__(self) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = make()
            if len(self._entries) > REMEMBERED:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return entry

    def pop(self, key: K) -> None:
        self._entries.pop(key, None)


class Correlator:
    """Remembers what one source has told lately."""

    def __init__(self) -> None:
        self._series: _Recent[tuple[Subject, str, str, str], Series] = _Recent()
        self._similar: _Recent[tuple[Subject, str, str], _Similar] = _Recent()
        self._buckets: _Recent[Subject, _Bucket] = _Recent()

    def correlate(self, occurrence: Occurrence, now: float, timestamp: str) -> Series | None:
        """The series to which the occurrence belongs, counted up; None if the source tells too much of the object.

        `now` is monotonic seconds, `timestamp` what is written on the object.
        """
        distinct = self._is_distinct(occurrence, now)
        message = occurrence.message if distinct else COMBINED_PREFIX + occurrence.message
        # Combined events share one series, whatever they say.
        key = (occurrence.subject, occurrence.type, occurrence.reason, message if distinct else COMBINED_PREFIX)
        series = self._series.get(key, lambda: Series(key, message, timestamp, timestamp))
        series.message, series.last = message, timestamp
        series.count += 1
        return series if self._is_allowed(occurrence.subject, now) else None

    def forget(self, series: Series) -> None:
        """The series' object is gone: the next occurrence makes a new one."""
        self._series.pop(series.key)

    def _is_distinct(self, occurrence: Occurrence, now: float) -> bool:
        """Whether the occurrence is told in its own words."""
        key = (occurrence.subject, occurrence.type, occurrence.reason)
        similar = self._similar.get(key, lambda: _Similar(now))
        if now - similar.last > SIMILAR_SECONDS:
            similar.messages.clear()
        similar.last = now
        if occurrence.message not in similar.messages and len(similar.messages) + 1 >= SIMILAR_MESSAGES:
            return False
        similar.messages.add(occurrence.message)
        return True

    def _is_allowed(self, subject: Subject, now: float) -> bool:
        bucket = self._buckets.get(subject, lambda: _Bucket(SPAM_BURST, now))
        bucket.tokens = min(SPAM_BURST, bucket.tokens + (now - bucket.filled) / SPAM_SECONDS_PER_EVENT)
        bucket.filled = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
