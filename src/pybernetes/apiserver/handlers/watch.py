"""GET of a collection with watch=true: what happens from a revision on, until the client or the time ends it.

Changes are written to the connection as the cache tells them, with no task or queue between: each change is encoded
once for all watchers of a format, and a client that does not read is dropped when its connection's buffer is full.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from pybernetes.api.errors import StatusError, expired, service_unavailable
from pybernetes.apiserver.cacher.cache import Change, TooOldError
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.encoding import ADDED, DELETED, MODIFIED, Encoder
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.get import too_large
from pybernetes.apiserver.handlers.list_options import ListOptions, list_options, matches
from pybernetes.apiserver.http.message import Answer, StreamResponse, StreamWriter, frame
from pybernetes.apiserver.negotiate import negotiate_stream
from pybernetes.store.backend import CompactedError, StoreError

log = logging.getLogger(__name__)

MAX_BUFFERED_BYTES: Final = 4 << 20
BOOKMARK_SECONDS: Final = 60.0
INITIAL_BATCH: Final = 64
"""Initial events that are joined into one chunk."""


async def watch(call: Call) -> Answer:
    """A stream of events. Raises StatusError before it begins; later errors are ERROR events."""
    request = call.ctx.request
    wanted = negotiate_stream(call.accept, protobuf=not call.served.custom)
    options = list_options(request, call.served, watch=True)
    encoder = call.encoders.single(call.served, wanted, request.parameter("includeObject"))
    store = call.served.store
    if not await store.wait(options.revision):
        raise too_large(options.revision, store.revision)
    await store.settled()
    return StreamResponse(200, _Watch(call, options, encoder).run, encoder.stream_type)


class _Watch:
    """One client's watch; a `Watcher` of the cache."""

    def __init__(self, call: Call, options: ListOptions, encoder: Encoder) -> None:
        self._call = call
        self._options = options
        self._encoder = encoder
        self._prefix = call.prefix
        self._all = not call.prefix
        self._unselective = options.selects_everything
        self._writer: StreamWriter | None = None
        self._from = options.revision
        """What the client has seen, where it does not begin with all there is."""

    async def run(self, writer: StreamWriter) -> None:
        self._writer = writer
        try:
            self._cache = await self._call.served.store.settled()
            while not self._begin(writer):
                await self._replay(writer)
            if (initialized := self._call.ctx.on_initialized) is not None:
                initialized()
        except StatusError as error:
            self._fail(error)
            return
        except CompactedError as error:
            self._fail(expired(f"too old resource version: {self._options.version} ({error.revision})"))
            return
        except StoreError as error:
            self._fail(service_unavailable(f"the store cannot serve now: {error}"))
            return
        try:
            await self._follow(writer)
        finally:
            self._cache.unwatch(self)

    def _begin(self, writer: StreamWriter) -> bool:
        """Send what has been, and register for what comes, without a gap: nothing awaits between the two.

        Whether the cache has all that has been; if not, nothing was done.
        """
        options, store = self._options, self._call.served.store
        wants_state = (
            options.version in ("", "0") if options.send_initial_events is None else options.send_initial_events
        )
        revision = store.revision
        if wants_state:
            items = [item for item in self._cache.select(self._prefix) if self._takes(item)]
            self._cache.watch(self)
            for start in range(0, len(items), INITIAL_BATCH):
                batch = items[start : start + INITIAL_BATCH]
                writer.write(b"".join([self._next_encoder().event(ADDED, item) for item in batch]))
        else:
            try:
                missed = self._cache.since(self._from) if options.version not in ("", "0") else []
            except TooOldError:
                return False
            self._cache.watch(self)
            for change in missed:
                self.deliver(change)
        if wants_state and options.bookmarks and self._marks_initial_end:
            writer.write(self._next_encoder().bookmark(revision, initial_end=True))
        return True

    async def _replay(self, writer: StreamWriter) -> None:
        """Send what the cache no longer has from the store. Raises CompactedError, StatusError."""
        store = self._call.served.store
        upto = store.revision
        if upto <= self._from:
            raise CompactedError(self._cache.since_revision - 1)
        async for changes in store.changes(self._prefix, self._from, upto):
            for change in changes:
                self.deliver(change)
                if writer.buffered() > MAX_BUFFERED_BYTES // 2:
                    await writer.drain()
        self._from = upto

    @property
    def _marks_initial_end(self) -> bool:
        return self._options.send_initial_events is True or (
            self._options.send_initial_events is None and self._options.version == ""
        )

    def _takes(self, item: Item) -> bool:
        return self._unselective or matches(item, self._options, self._call.served.strategy)

    async def _follow(self, writer: StreamWriter) -> None:
        """Wait for the end; bookmarks meanwhile."""
        seconds = self._options.timeout_seconds or self._call.ctx.services.options.min_request_timeout * (
            1 + random.random()
        )
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while (left := deadline - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, BOOKMARK_SECONDS) if self._options.bookmarks else left):
                    await writer.ending.wait()
                return
            except TimeoutError:
                if self._options.bookmarks and deadline - loop.time() > 0:
                    self._bookmark()

    def _bookmark(self) -> None:
        if self._writer is not None:
            self._writer.write(self._next_encoder().bookmark(self._call.served.store.revision, initial_end=False))

    def _next_encoder(self) -> Encoder:
        """The encoder of the next event: a table tells its columns in the first one only."""
        encoder = self._encoder
        self._encoder = encoder.following()
        return encoder

    # The cache's side.

    def deliver(self, change: Change) -> None:
        key = change.item.key
        if not self._all and not key.startswith(self._prefix):
            return
        if self._unselective:
            kind = DELETED if change.deleted else ADDED if change.previous is None else MODIFIED
        else:
            selected = self._selected(change)
            if selected is None:
                return
            kind = selected
        writer = self._writer
        if writer is None or writer.ending.is_set():
            return
        if writer.buffered() > MAX_BUFFERED_BYTES:
            log.warning("slow watcher dropped resource=%s", self._call.served.resource.group_resource)
            self.stop()
            return
        encoder = self._next_encoder()
        if kind is DELETED and not change.deleted:
            # The object left the selection: shown as it was, at the revision of its leaving.
            writer.write_framed(
                change.frame((encoder, "left"), lambda one: frame(encoder.event(DELETED, _before(one))))
            )
            return
        writer.write_framed(change.frame((encoder, kind), lambda one: frame(encoder.event(kind, one.item))))

    def _selected(self, change: Change) -> bytes | None:
        """What the change is to a client that sees only what its selectors take: objects enter and leave."""
        is_in = not change.deleted and self._takes(change.item)
        was_in = change.previous is not None and self._takes(change.previous)
        if is_in:
            return MODIFIED if was_in else ADDED
        return DELETED if was_in else None

    def stop(self) -> None:
        if self._writer is not None:
            self._writer.ending.set()

    def _fail(self, error: StatusError) -> None:
        if self._writer is not None:
            self._writer.write(self._encoder.error(error.status))


def _before(change: Change) -> Item:
    assert change.previous is not None
    return change.previous.at(change.revision)
