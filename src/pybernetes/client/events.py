"""The event recorder: tells users what happened to their objects, without ever making the teller wait."""

from __future__ import annotations

import logging
import random
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import Scope
from pybernetes.api import errors
from pybernetes.api.scheme import resource_for
from pybernetes.api.time import format_micro_time, format_time
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.codec import HasMetadata
from pybernetes.client.correlation import Correlator, Occurrence, Series
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client

log = logging.getLogger(__name__)

Regarding: TypeAlias = "HasMetadata | core_v1.ObjectReference"

BURST = 100.0
PER_SECOND = 50.0
"""How many events a component writes: as many as the client of upstream's scheduler and controllers lets through."""
QUEUE_LIMIT = 1000
MAX_TRIES = 12
_EVENTS: Final = resource_for(core_v1.Event)


class _Pending(Struct, frozen=True):
    reference: core_v1.ObjectReference
    occurrence: Occurrence
    when: datetime
    labels: dict[str, str]
    action: str
    host: str


class EventRecorder:
    """Writes core/v1 Events in the name of one component, in the order in which they happened.

    Repetitions count up one object, and one object gets no more than 25 events in a row: see `correlation`.
    A task exists only while there is something to write.
    """

    def __init__(
        self, client: Client, component: str, host: str = "", *, clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:  # fmt: skip
        self._client, self._component, self._host = client, component, host
        self._clock, self._rng = clock or SystemClock(), rng or random.Random()
        self._correlator = Correlator()
        self._pending: deque[_Pending] = deque(maxlen=QUEUE_LIMIT)
        self._scope = Scope(f"events/{component}")
        self._writing = False
        self._tokens, self._filled = BURST, 0.0

    def event(
        self, obj: Regarding, type: str, reason: str, message: str, *, field_path: str = "", action: str = "",
        labels: dict[str, str] | None = None, host: str = "",
    ) -> None:  # fmt: skip
        """Tell that something happened. `type` is "Normal" or "Warning"; `field_path` names a part of the object.

        Never blocks and never fails; when more than a thousand wait to be written, the oldest are dropped.
        `host` is given where a recorder speaks for several. With an `action` the event is written as those of events.k8s.io are: with a time in microseconds.
        """
        reference = reference_to(obj, field_path)
        subject = (
            reference.kind or "", reference.namespace or "", reference.name or "",
            reference.uid or "", reference.api_version or "", reference.field_path or "",
        )  # fmt: skip
        occurrence = Occurrence(subject, type, reason, message)
        self._pending.append(
            _Pending(reference, occurrence, self._clock.now(), labels or {}, action, host or self._host)
        )
        if not self._writing:
            self._writing = True
            self._scope.spawn(self._write_pending(), "write")

    async def close(self) -> None:
        """Drop what is not written yet and end."""
        await self._scope.close()

    async def _write_pending(self) -> None:
        try:
            while self._pending:
                pending = self._pending.popleft()
                timestamp = format_time(pending.when)
                series = self._correlator.correlate(pending.occurrence, self._clock.monotonic(), timestamp)
                if series is not None:
                    await self._take_turn()
                    await self._write(pending, series)
        finally:
            self._writing = False

    async def _take_turn(self) -> None:
        """A burst goes out at once; what follows waits its time, so that events never crowd out what they tell of."""
        now = self._clock.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._filled) * PER_SECOND) - 1.0
        self._filled = now
        if self._tokens < 0:
            await self._clock.sleep(-self._tokens / PER_SECOND)

    async def _write(self, pending: _Pending, series: Series) -> None:
        backoff = Backoff(initial=0.2, limit=10.0, jitter=0.5, rng=self._rng)
        for _ in range(MAX_TRIES):
            try:
                await self._write_once(pending, series)
                return
            except errors.StatusError as error:
                if not errors.is_retriable(error):
                    log.info("event not written reason=%s error=%s", pending.occurrence.reason, error.message)
                    return
            await self._clock.sleep(backoff.next())

    async def _write_once(self, pending: _Pending, series: Series) -> None:
        """Count up the series' object; make it if there is none (any more)."""
        namespace = pending.reference.namespace or "default"
        if series.name:
            patch = {"count": series.count, "message": series.message, "lastTimestamp": series.last}
            try:
                await self._client.patch(core_v1.Event, series.name, namespace, patch, PatchType.STRATEGIC)
                return
            except errors.StatusError as error:
                if not errors.is_not_found(error):
                    raise
        name = f"{pending.reference.name}.{_unique(pending.when, self._rng):x}"
        # What the server makes of it concerns nobody here.
        made = self._made(pending, series, name, namespace)
        await self._client.request("POST", _EVENTS.path(namespace), body=msgspec.json.encode(made))
        series.name = name

    def _made(self, pending: _Pending, series: Series, name: str, namespace: str) -> core_v1.Event:
        timed: dict[str, Any] = {"first_timestamp": series.first, "last_timestamp": series.last, "count": series.count}
        source: core_v1.EventSource | None = core_v1.EventSource(component=self._component, host=pending.host or None)
        if pending.action:
            timed = {"event_time": format_micro_time(pending.when), "action": pending.action}
            source = None
        return core_v1.Event(
            metadata=meta_v1.ObjectMeta(name=name, namespace=namespace, labels=pending.labels),
            involved_object=pending.reference,
            type=pending.occurrence.type,
            reason=pending.occurrence.reason,
            message=series.message,
            source=source,
            reporting_component=self._component,
            reporting_instance=pending.host or (f"{self._component}-" if pending.action else ""),
            **timed,
        )


def reference_to(obj: Regarding, field_path: str = "") -> core_v1.ObjectReference:
    """The reference that an event (or an endpoint) holds to an object."""
    if isinstance(obj, core_v1.ObjectReference):
        return obj
    return core_v1.ObjectReference(
        api_version=obj.api_version,
        kind=obj.kind,
        name=obj.metadata.name,
        namespace=obj.metadata.namespace,
        uid=obj.metadata.uid,
        resource_version=obj.metadata.resource_version,
        field_path=field_path or None,
    )


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _unique(when: datetime, rng: random.Random) -> int:
    """Nanoseconds, as upstream has in the names of events; what the clock cannot tell is drawn."""
    microseconds = int((when - _EPOCH).total_seconds() * 1_000_000)
    return microseconds * 1000 + rng.randrange(1000)
