"""Watches: one stream of events, and the endless one that resumes after every interruption."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.api import errors
from pybernetes.client.codec import Codec, WatchEvent
from pybernetes.client.lines import LineSplitter
from pybernetes.client.rest import Client
from pybernetes.client.transport import Request

log = logging.getLogger(__name__)

T = TypeVar("T")

# A server that sends neither events nor bookmarks for so long may be gone without a word.
IDLE_SECONDS = 180.0
# The server ends a watch after 5 to 10 minutes, spread so that watches do not all start anew together.
LASTING_FAILURES = 6
TIMEOUT_SECONDS = 300.0


class Selection(Struct, Generic[T], frozen=True):
    """What to watch: objects of a codec's resource, narrowed by namespace and selectors."""

    codec: Codec[T]
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""


async def watch(
    client: Client,
    selection: Selection[T],
    *,
    resource_version: str = "",
    initial_events: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> AsyncIterator[list[WatchEvent[T]]]:
    """Events after `resource_version` in batches as they arrive, until the server ends the stream.

    With `initial_events` first every object as ADDED, closed by a bookmark. Raises StatusError, with code 410 if the
    version is too old.
    """
    query = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "labelSelector": selection.label_selector,
        "fieldSelector": selection.field_selector,
        "resourceVersion": resource_version,
        "timeoutSeconds": str(int(timeout_seconds)),
    }
    if initial_events:
        query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    codec, lines = selection.codec, LineSplitter()
    request = Request("GET", codec.resource.path(selection.namespace), query, accept=codec.accept)
    async with client.transport.stream(request, IDLE_SECONDS) as chunks:
        async for chunk in chunks:
            if batch := [codec.event(line) for line in lines.feed(chunk)]:
                yield batch


class Sink(Protocol[T]):
    """What a reflector keeps up to date."""

    def replace(self, objects: Sequence[T], resource_version: str) -> None:
        """The whole content at a version, after a list."""
        ...

    def apply(self, event: WatchEvent[T]) -> None:
        """One event; a BOOKMARK only moves the version on."""
        ...


@dataclass
class Reflector(Generic[T]):
    """Keeps a sink equal to a selection of the server's objects, for ever.

    Reads everything once (as initial events of the watch, or from servers that refuse that by a list), then watches:
    a stream that ends is resumed at the last seen version, after errors with back-off; 410 begins anew.
    """

    client: Client
    selection: Selection[T]
    sink: Sink[T]
    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.Random)
    streams_initial_events: bool = True

    def __post_init__(self) -> None:
        self._version = ""
        self._backoff = Backoff(initial=0.05, limit=2.0, jitter=0.5, rng=self.rng)

    async def run(self) -> None:
        """Returns only when cancelled."""
        while True:
            started = self.clock.monotonic()
            try:
                await self._follow()
            except errors.StatusError as error:
                self._note(error)
            except ValueError:
                # What cannot be decoded now will not be decodable in a moment: begin anew, slowly.
                self._version = ""
                log.exception("undecodable answer resource=%s", self._name)
            else:
                if self.clock.monotonic() - started > 1.0:
                    continue
            await self.clock.sleep(self._backoff.next())

    @property
    def _name(self) -> str:
        return self.selection.codec.resource.group_resource

    def _note(self, error: errors.StatusError) -> None:
        if errors.is_expired(error):
            self._version = ""
        elif not self._version and self.streams_initial_events and error.code in (400, 422):
            self.streams_initial_events = False
        else:
            # A server that restarts is back within moments; one that stays away is worth one line for each resource.
            level = logging.WARNING if self._backoff.failures == LASTING_FAILURES else logging.DEBUG
            log.log(level, "watch interrupted resource=%s code=%d error=%s", self._name, error.code, error.message)

    async def _follow(self) -> None:
        """One stream, until the server ends it."""
        if not self._version and not self.streams_initial_events:
            await self._list()
        initial: dict[tuple[str, str], T] | None = None if self._version else {}
        async for batch in watch(
            self.client,
            self.selection,
            resource_version=self._version,
            initial_events=initial is not None,
            timeout_seconds=TIMEOUT_SECONDS * (1 + self.rng.random()),
        ):
            self._backoff.reset()
            for event in batch:
                if initial is None:
                    self._take(event)
                elif event.initial_events_end:
                    self.sink.replace(list(initial.values()), event.resource_version)
                    self._version, initial = event.resource_version, None
                else:
                    self._collect(initial, event)

    def _collect(self, initial: dict[tuple[str, str], T], event: WatchEvent[T]) -> None:
        if event.object is None:
            return
        meta = self.selection.codec.metadata(event.object)
        key = (meta.namespace or "", meta.name or "")
        if event.type == "DELETED":
            initial.pop(key, None)
        else:
            initial[key] = event.object

    async def _list(self) -> None:
        selection = self.selection
        page = await self.client.list_with(
            selection.codec,
            selection.namespace,
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            resource_version="0",
        )
        self.sink.replace(page.items, page.resource_version)
        self._version = page.resource_version

    def _take(self, event: WatchEvent[T]) -> None:
        self.sink.apply(event)
        if event.resource_version:
            self._version = event.resource_version
