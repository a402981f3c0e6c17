"""The writer thread: every write that is waiting goes into one transaction, so that they share one fsync."""

import heapq
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from pybernetes.store.backend import CorruptError, Event, StoreError, UnavailableError, Written
from pybernetes.store.sqlite import log


class Head(NamedTuple):
    """What a key holds now, without its value."""

    revision: int
    create_revision: int


class Write(Struct):
    """A write that waits: `expected` is the revision to replace (0: must not exist, -1: whatever it is)."""

    key: bytes
    value: bytes | None
    expected: int
    expires: int
    resolve: Callable[[Written | StoreError], None]


class Call(Struct):
    """Something else to do on the writer's connection, in order with the writes."""

    run: Callable[[sqlite3.Connection], None]
    resolve: Callable[[Written | StoreError], None]


Outcome = tuple[Callable[[Written | StoreError], None], Written | StoreError]


class Writer:
    """Owns the writing connection and the heads. `deliver` gets each batch's outcomes and events, in order."""

    def __init__(
        self,
        db: sqlite3.Connection,
        deliver: Callable[[list[Outcome], list[Event], int], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._deliver = deliver
        self._now = now
        self._revision = log.last_revision(db)
        self._heads = {key: Head(revision, created) for key, revision, created, _ in log.heads(db)}
        self._expiries = [(expires, key, revision) for key, revision, _, expires in log.heads(db) if expires]
        heapq.heapify(self._expiries)
        self._waiting: deque[Write | Call] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    @property
    def revision(self) -> int:
        """The newest committed revision, as the writer sees it."""
        return self._revision

    def start(self) -> None:
        self._thread.start()

    def submit(self, requests: list[Write | Call]) -> None:
        """Queue requests; the `resolve` of each is handed to `deliver` with its outcome."""
        with self._wake:
            if self._closed:
                raise UnavailableError("the store is closed")
            self._waiting.extend(requests)
            self._wake.notify()

    def close(self) -> None:
        """Commit what waits, then end the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            calls = [request for request in batch if isinstance(request, Call)]
            self._commit([request for request in batch if isinstance(request, Write)])
            for call in calls:
                self._call(call)

    def _next_batch(self) -> list[Write | Call]:
        """Wait until something is to be done: a request, or a key whose time has come. Empty when closed."""
        with self._wake:
            while True:
                self._expire()
                if self._waiting:
                    size = min(len(self._waiting), log.MAX_ROWS)
                    return [self._waiting.popleft() for _ in range(size)]
                if self._closed:
                    return []
                self._wake.wait(self._expiries[0][0] - self._now() if self._expiries else None)

    def _expire(self) -> None:
        while self._expiries and self._expiries[0][0] <= self._now():
            _, key, revision = heapq.heappop(self._expiries)
            head = self._heads.get(key)
            if head and head.revision == revision:
                self._waiting.append(Write(key, None, revision, 0, lambda outcome: None))

    def _call(self, call: Call) -> None:
        outcome: Written | StoreError = Written(True, self._revision, None)
        try:
            call.run(self._db)
        except sqlite3.Error as error:
            outcome = translate(error)
        self._deliver([(call.resolve, outcome)], [], self._revision)

    def _commit(self, writes: list[Write]) -> None:
        if not writes:
            return
        batch = _Batch(self._heads, self._revision)
        verdicts = [batch.apply(write) for write in writes]
        try:
            if batch.rows:
                log.append(self._db, batch.rows)
        except sqlite3.Error as error:
            failure = translate(error)
            self._deliver([(write.resolve, failure) for write in writes], [], self._revision)
            return
        self._revision = batch.revision
        for key, head in batch.heads.items():
            if head is None:
                self._heads.pop(key, None)
            else:
                self._heads[key] = head
        for expiry in batch.expiries:
            heapq.heappush(self._expiries, expiry)
        outcomes = [(write.resolve, self._outcome(verdict)) for write, verdict in zip(writes, verdicts, strict=True)]
        self._deliver(outcomes, batch.events, self._revision)

    def _outcome(self, verdict: Written | Head | None) -> Written | StoreError:
        if isinstance(verdict, Written):
            return verdict
        if verdict is None:
            return Written(False, self._revision, None)
        try:
            row = log.row_at(self._db, verdict.revision)
            if row is None:
                raise CorruptError(f"revision {verdict.revision} is missing")
            return Written(False, self._revision, log.key_value(row))
        except (sqlite3.Error, CorruptError) as error:
            return translate(error)


class _Batch:
    """What a list of writes comes to; nothing of it counts before its rows are committed."""

    def __init__(self, base: dict[bytes, Head], revision: int) -> None:
        self._base = base
        self.revision = revision
        self.rows: list[log.Row] = []
        self.events: list[Event] = []
        self.heads: dict[bytes, Head | None] = {}
        self.expiries: list[tuple[int, bytes, int]] = []

    def apply(self, write: Write) -> Written | Head | None:
        """The outcome; of a refused write, the head that stands in its way."""
        key, value = write.key, write.value
        head = self.heads[key] if key in self.heads else self._base.get(key)
        standing = head.revision if head else 0
        if write.expected not in (standing, -1) or (value is None and head is None):
            return head
        self.revision += 1
        created = head.create_revision if head else self.revision
        crc = log.checksum(key, value)
        self.rows.append((self.revision, key, value, created, standing, write.expires, crc))
        self.events.append(Event(key, value, self.revision, 0 if value is None else created))
        self.heads[key] = None if value is None else Head(self.revision, created)
        if write.expires:
            self.expiries.append((write.expires, key, self.revision))
        return Written(True, self.revision, None)


def translate(error: Exception) -> StoreError:
    """SQLite's error in the contract's words."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return CorruptError(str(error))
    return UnavailableError(str(error))
