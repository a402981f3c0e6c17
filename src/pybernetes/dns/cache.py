"""Answers of other zones, kept for as long as they say, at most for half a minute."""

from collections import OrderedDict

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.dns.messages import (
    NOERROR,
    NXDOMAIN,
    MessageError,
    Query,
    aged,
    code_of,
    is_truncated,
    lifetime,
    with_id,
)

_SECONDS = 30
_ENTRIES = 10_000


class _Entry(Struct, frozen=True):
    data: bytes
    since: float
    until: float


class Cache:
    """Bounded; the entry that was used longest ago goes first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[tuple[str, str, bytes], bool], _Entry] = OrderedDict()

    def get(self, query: Query, *, tcp: bool) -> bytes | None:
        """The answer as it reads now, under the query's id."""
        key, now = (query.key, tcp), self._clock.monotonic()
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until <= now:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return with_id(aged(entry.data, int(now - entry.since)), query.data)

    def put(self, query: Query, data: bytes, *, tcp: bool) -> None:
        """Keep an answer, if it is one to keep."""
        if code_of(data) not in (NOERROR, NXDOMAIN) or is_truncated(data):
            return
        try:
            seconds = min(lifetime(aged(data, 0)), _SECONDS)
        except MessageError:
            return
        if seconds > 0:
            now = self._clock.monotonic()
            self._entries[query.key, tcp] = _Entry(data, now, now + seconds)
            if len(self._entries) > _ENTRIES:
                self._entries.popitem(last=False)
