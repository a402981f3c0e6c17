"""The Backend over the log: writes through the writer thread, reads through a reader thread, watches by the hub."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from pybernetes.aio.threads import Worker
from pybernetes.store.backend import (
    CompactedError,
    Event,
    FutureRevisionError,
    KeyValue,
    Page,
    StoreError,
    UnavailableError,
    Watcher,
    Written,
)
from pybernetes.store.sqlite import log
from pybernetes.store.sqlite.watch import Hub, LogWatcher
from pybernetes.store.sqlite.writer import Call, Outcome, Write, Writer, translate

R = TypeVar("R")

HANDED_OVER = 8
"""Writes of one turn of the loop that the writer is given together: so many that waking it costs each little, and so
few that it commits them while the turn goes on."""


class SQLiteBackend:
    """See `store.backend.Backend`. Made by `open_store`; belongs to the event loop that opened it."""

    shared = False

    def __init__(self, path: Path, lock: int, now: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._lock = lock
        self._now = now
        self._write_db = log.connect(path)
        log.create_tables(self._write_db)
        self._read_db = log.connect(path)
        self._reader = Worker("store-reader")
        self._compacted = log.number(self._write_db, "compacted")
        self._writer = Writer(self._write_db, self._deliver_from_thread, now)
        self._hub = Hub(self._writer.revision)
        self._closed = False
        self._submitted: list[Write | Call] = []

    def start(self) -> None:
        self._writer.start()

    def _deliver_from_thread(self, outcomes: list[Outcome], events: list[Event], revision: int) -> None:
        self._loop.call_soon_threadsafe(self._deliver, outcomes, events, revision)

    def _deliver(self, outcomes: list[Outcome], events: list[Event], revision: int) -> None:
        """Watchers hear of a write before its writer does, so that a reader of both never sees time go back."""
        self._hub.publish(events, revision)
        for resolve, outcome in outcomes:
            resolve(outcome)

    def _write(self, key: bytes, value: bytes | None, expected: int, expires: int) -> asyncio.Future[Written]:
        future: asyncio.Future[Written] = self._loop.create_future()
        self._submit(Write(key, value, expected, expires, partial(_settle, future)))
        return future

    def _submit(self, request: Write | Call) -> None:
        if not self._submitted:
            self._loop.call_soon(self._flush)
        self._submitted.append(request)
        if len(self._submitted) >= HANDED_OVER:
            self._flush()

    def _flush(self) -> None:
        """Hand over the writes of the tasks that ran in one turn of the loop: they share a wake-up and a commit."""
        if not self._submitted:
            return
        requests, self._submitted = self._submitted, []
        try:
            self._writer.submit(requests)
        except UnavailableError as error:
            for request in requests:
                request.resolve(error)

    async def _read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        try:
            return await self._reader.run(query, self._read_db)
        except sqlite3.Error as error:
            raise translate(error) from error
        except RuntimeError as error:
            raise UnavailableError("the store is closed") from error

    def _check(self, revision: int) -> int:
        if revision > self._hub.revision:
            raise FutureRevisionError(self._hub.revision)
        if revision and revision < self._compacted:
            raise CompactedError(self._compacted)
        return revision or self._hub.revision

    def _expires(self, ttl: int) -> int:
        return int(self._now()) + ttl if ttl else 0

    async def get(self, key: bytes, revision: int = 0) -> tuple[KeyValue | None, int]:
        at = self._check(revision)
        row = await self._read(lambda db: log.newest(db, key, at))
        return (None if row is None or row[2] is None else log.key_value(row)), self._hub.revision

    async def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Page:
        at = self._check(revision)
        first, end = max(prefix, start), log.prefix_end(prefix)

        def query(db: sqlite3.Connection) -> tuple[list[KeyValue], int]:
            items = [log.key_value(row) for row in log.live(db, first, end, at, limit)]
            cut = bool(limit) and len(items) == limit
            return items, log.count_live(db, first, end, at) - len(items) if cut else 0

        items, remaining = await self._read(query)
        return Page(items, at, remaining)

    async def count(self, prefix: bytes) -> int:
        at = self._hub.revision
        return await self._read(lambda db: log.count_live(db, prefix, log.prefix_end(prefix), at))

    async def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Written:
        return await self._write(key, value, 0, self._expires(ttl))

    async def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Written:
        return await self._write(key, value, expected, self._expires(ttl))

    async def delete(self, key: bytes, expected: int = 0) -> Written:
        return await self._write(key, None, expected or -1, 0)

    @asynccontextmanager
    async def watch(self, prefix: bytes, after: int) -> AsyncIterator[Watcher]:
        if after > self._hub.revision:
            raise FutureRevisionError(self._hub.revision)
        if after < self._compacted:
            raise CompactedError(self._compacted)
        upto = self._hub.revision
        subscription = self._hub.subscribe(prefix)
        try:
            yield LogWatcher(subscription, after, upto, self._history)
        finally:
            self._hub.unsubscribe(subscription)

    async def _history(self, prefix: bytes, after: int, upto: int, limit: int) -> list[Event]:
        if after < self._compacted:
            raise CompactedError(self._compacted)
        return await self._read(lambda db: log.events(db, prefix, after, upto, limit))

    async def current_revision(self) -> int:
        return self._hub.revision

    async def size(self) -> int:
        """With what is still in the log of the file."""
        files = self._path, self._path.with_name(f"{self._path.name}-wal")
        return sum(file.stat().st_size for file in files if file.exists())

    async def compact(self, revision: int) -> None:
        if revision > self._hub.revision:
            raise FutureRevisionError(self._hub.revision)
        if revision <= self._compacted:
            return
        self._compacted = revision
        future: asyncio.Future[Written] = self._loop.create_future()
        self._submit(Call(lambda db: log.compact(db, revision), partial(_settle, future)))
        await future

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._writer.close)
        await self._reader.close()
        self._hub.close()
        self._read_db.close()
        self._write_db.close()
        os.close(self._lock)


def _settle(future: asyncio.Future[Written], outcome: Written | StoreError) -> None:
    if future.done():
        return
    if isinstance(outcome, StoreError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


async def open_store(path: str | Path, *, now: Callable[[], float] = time.time) -> SQLiteBackend:
    """Open or create the store at `path`. Raises UnavailableError (in use, no room) or CorruptError."""
    path = Path(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = log.acquire_lock(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        backend = SQLiteBackend(path, lock, now)
    except sqlite3.Error as error:
        os.close(lock)
        raise translate(error) from error
    backend.start()
    return backend
