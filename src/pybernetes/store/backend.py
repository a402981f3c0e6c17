"""The contract of a store backend: etcd's semantics, nothing more.

One revision counter for the whole store; each committed write takes the next one. Keys and values are bytes.
`testsuite.py` is the contract in executable form: every backend passes it.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct


class StoreError(Exception):
    """Base of everything a backend raises."""


class CompactedError(StoreError):
    """The revision asked for has been compacted away; `revision` is the oldest that is left."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"required revision has been compacted: oldest is {revision}")
        self.revision = revision


class FutureRevisionError(StoreError):
    """The revision asked for has not happened yet; `revision` is the current one."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"required revision is a future revision: current is {revision}")
        self.revision = revision


class UnavailableError(StoreError):
    """The backend cannot serve now (disk full, etcd unreachable); the write did not, or may not have, happened."""


class CorruptError(StoreError):
    """The stored data fails its checks; never silently repaired."""


class KeyValue(Struct, frozen=True):
    """A key's value; `revision` is that of its last write, `create_revision` that of its creation."""

    key: bytes
    value: bytes
    revision: int
    create_revision: int


class Event(Struct, frozen=True):
    """A committed write. `value` is None for a delete, whose `create_revision` is 0."""

    key: bytes
    value: bytes | None
    revision: int
    create_revision: int


class Page(Struct, frozen=True):
    """A consistent part of a range: `revision` is the store's at reading; `remaining` counts what `limit` cut off."""

    items: list[KeyValue]
    revision: int
    remaining: int


class Written(Struct, frozen=True):
    """Outcome of a conditional write: it happened at `revision`, or it did not and `current` stands in its way (None: nothing does)."""

    succeeded: bool
    revision: int
    current: KeyValue | None


class Watcher(Protocol):
    """Batches of events in revision order; never a gap, never a repeat.

    Iteration ends with CompactedError when the reader has fallen behind compaction or overflowed its bounded
    buffer: it must list again.
    """

    def __aiter__(self) -> AsyncIterator[list[Event]]: ...

    @property
    def revision(self) -> int:
        """Every event up to this revision has been given out with the batch before; a batch may be empty."""
        ...

    async def ask_progress(self) -> None:
        """Let a batch come soon, empty if need be, that tells how far the watch is."""
        ...


class Backend(Protocol):
    """A revisioned key-value store. Writes are durable (kill -9, power loss) before they return."""

    @property
    def shared(self) -> bool:
        """Whether others may write to it: what was read a moment ago may be stale."""
        ...

    async def get(self, key: bytes, revision: int = 0) -> tuple[KeyValue | None, int]:
        """The key's value (at `revision` if not 0) and the store's current revision."""
        ...

    async def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Page:
        """Keys under `prefix` in order, from `start` (inclusive), at most `limit` (0: all), as of `revision` (0: now).

        Raises CompactedError, FutureRevisionError.
        """
        ...

    async def count(self, prefix: bytes) -> int:
        """How many keys live under `prefix`."""
        ...

    async def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Written:
        """Write a key that must not exist; `ttl` seconds later it is deleted (0: never)."""
        ...

    async def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Written:
        """Replace the value if the key's revision is still `expected`."""
        ...

    async def delete(self, key: bytes, expected: int = 0) -> Written:
        """Delete the key if its revision is still `expected` (0: whatever it is)."""
        ...

    def watch(self, prefix: bytes, after: int) -> AbstractAsyncContextManager[Watcher]:
        """Every event under `prefix` with a revision greater than `after`, first those that already happened.

        Raises CompactedError on entry if `after` is older than the oldest kept revision.
        """
        ...

    async def size(self) -> int:
        """Bytes that the store takes on its disk, as far as it knows."""
        ...

    async def current_revision(self) -> int:
        """The revision of the newest committed write."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget what only revisions below `revision` need. Safe to repeat."""
        ...

    async def close(self) -> None:
        """Finish pending writes and release everything. Safe to repeat."""
        ...
