"""GET of a collection with watch=true: what happens from a revision on, until the client or the time ends it.

Changes are written to the connection as the cache tells them, with no task or queue between: each change is judged
and encoded once for all who see the same, and a client that does not read is dropped when its connection's buffer is full.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from pybernetes.api.errors import StatusError, expired, service_unavailable
from pybernetes.apiserver.cacher.cache import Cache, Change, TooOldError
from pybernetes.apiserver.encoding import ADDED, Encoder
from pybernetes.apiserver.handlers.audience import Audience, Selection, join
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.get import too_large
from pybernetes.apiserver.handlers.list_options import ListOptions, list_options, of_name
from pybernetes.apiserver.http.message import Answer, StreamResponse, StreamWriter
from pybernetes.apiserver.negotiate import PARTIAL, PARTIAL_LIST, negotiate_stream
from pybernetes.store.backend import CompactedError, StoreError

log = logging.getLogger(__name__)

MAX_BUFFERED_BYTES: Final = 4 << 20
BOOKMARK_SECONDS: Final = 60.0
INITIAL_BATCH: Final = 64
"""Initial events that are joined into one chunk."""


async def watch(call: Call) -> Answer:
    """A stream of events. Raises StatusError before it begins; later errors are ERROR events."""
    request = call.ctx.request
    call.negotiated(streams=True)
    options = list_options(request, call.served, watch=True)
    wanted = negotiate_stream(call.accept, protobuf=not call.served.custom)
    if call.name:
        options = of_name(options, call.name)
    tells_nothing = wanted.kind == PARTIAL_LIST
    if tells_nothing:
        wanted = wanted._replace(kind=PARTIAL)
    encoder = call.encoders.single(call.served, wanted, request.parameter("includeObject"))
    store = call.served.store
    if not await store.wait(options.revision):
        raise too_large(call, options.revision)
    await store.settled()
    watched = _Watch(call, options, encoder)
    if tells_nothing:
        return StreamResponse(200, lambda writer: watched.run(_Silent(writer)), encoder.stream_type)
    return StreamResponse(200, watched.run, encoder.stream_type)


class _Silent:
    """A stream that ends where it would begin: events are no lists, which upstream sees too late to refuse the view."""

    def __init__(self, writer: StreamWriter) -> None:
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.ending.set()

    def write_framed(self, chunks: bytes) -> None:
        self._writer.ending.set()

    def buffered(self) -> int:
        return 0

    async def drain(self) -> None:
        pass

    @property
    def ending(self) -> asyncio.Event:
        return self._writer.ending


class _Watch:
    """One client's watch: a `Member` of the audience that sees the same, or a `Watcher` of its own."""

    def __init__(self, call: Call, options: ListOptions, encoder: Encoder) -> None:
        self._call = call
        self._options = options
        self._encoder = encoder
        self._selection = Selection(call.prefix, options, call.served.strategy)
        self._audience: Audience | None = None
        self._writer: StreamWriter | None = None
        """Who still hears of changes."""
        self._from = options.revision
        """What the client has seen, where it does not begin with all there is."""

    async def run(self, writer: StreamWriter) -> None:
        self._writer = writer
        try:
            cache = await self._call.served.store.settled()
            while not self._begin(cache, writer):
                await self._replay(cache, writer)
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
            self._leave(cache)

    def _begin(self, cache: Cache, writer: StreamWriter) -> bool:
        """Send what has been, and register for what comes, without a gap: nothing awaits between the two.

        Whether the cache has all that has been; if not, nothing was done.
        """
        options, store = self._options, self._call.served.store
        wants_state = (
            options.version in ("", "0") if options.send_initial_events is None else options.send_initial_events
        )
        revision = store.revision
        if wants_state:
            items = [item for item in cache.select(self._selection.prefix) if self._selection.takes(item)]
            for start in range(0, len(items), INITIAL_BATCH):
                batch = items[start : start + INITIAL_BATCH]
                writer.write(b"".join([self._next_encoder().event(ADDED, item) for item in batch]))
        elif options.version not in ("", "0"):
            try:
                missed = cache.since(self._from)
            except TooOldError:
                return False
            for change in missed:
                self.deliver(change)
        self._watch(cache)
        if wants_state and options.bookmarks and self._marks_initial_end:
            writer.write(self._next_encoder().bookmark(revision, initial_end=True))
        return True

    async def _replay(self, cache: Cache, writer: StreamWriter) -> None:
        """Send what the cache no longer has from the store. Raises CompactedError, StatusError."""
        store = self._call.served.store
        upto = store.revision
        if upto <= self._from:
            raise CompactedError(cache.since_revision - 1)
        async for changes in store.changes(self._selection.prefix, self._from, upto):
            for change in changes:
                self.deliver(change)
                if writer.buffered() > MAX_BUFFERED_BYTES // 2:
                    await writer.drain()
        self._from = upto

    def _watch(self, cache: Cache) -> None:
        """Hear of every change from now on: with all others who see the same, but for a table without its columns yet."""
        if self._encoder.following() is not self._encoder:
            cache.watch(self)
            return
        request = self._call.ctx.request
        selectors = request.parameter("labelSelector"), request.parameter("fieldSelector")
        self._audience = join(cache, self._selection, selectors, self._encoder, self)

    def _leave(self, cache: Cache) -> None:
        if self._audience is None:
            cache.unwatch(self)
        else:
            self._audience.leave(self)

    @property
    def _marks_initial_end(self) -> bool:
        return self._options.send_initial_events is True or (
            self._options.send_initial_events is None and self._options.version in ("", "0")
        )

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
                    writer.write(self._next_encoder().bookmark(self._call.served.store.revision, initial_end=False))

    def _next_encoder(self) -> Encoder:
        """The encoder of the next event: a table tells its columns in the first one only."""
        encoder = self._encoder
        self._encoder = encoder.following()
        return encoder

    def _fail(self, error: StatusError) -> None:
        if self._writer is not None:
            self._writer.write(self._encoder.error(error.status))

    # The cache's side.

    def take(self, told: bytes) -> None:
        writer = self._writer
        if writer is None:
            return
        if writer.buffered() > MAX_BUFFERED_BYTES:
            log.warning("slow watcher dropped resource=%s", self._call.served.resource.group_resource)
            self.stop()
        else:
            writer.write_framed(told)

    def stop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.ending.set()

    # As a `Watcher` of its own.

    def deliver(self, change: Change) -> None:
        told = self._selection.told(change, self._encoder)
        if told is not None:
            self._next_encoder()
            self.take(told)

    def count(self) -> int:
        return 1
