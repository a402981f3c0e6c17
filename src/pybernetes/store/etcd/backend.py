"""The Backend over etcd: each write one transaction, each watch one stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import grpc.aio

from pybernetes.store.backend import CompactedError, Event, KeyValue, Page, UnavailableError, Watcher, Written
from pybernetes.store.etcd import messages as m
from pybernetes.store.etcd.channel import Caller, Target, translate

LEASE_SHARE = 0.05
"""Keys written within this part of a lease's time share it: a lease for each event would double the writes."""


ROOT = b"/registry"
"""What every key of ours begins with."""
PROGRESS_KEY = b"pybernetes-progress"
PROGRESS_SINCE = {(3, 4): 31, (3, 5): 13}
"""Patch releases since which progress can be relied on (etcd's issues 15220 and 17507); later minors have it."""


class EtcdBackend:
    """See `store.backend.Backend`. Several API servers may share one etcd."""

    shared = True

    def __init__(
        self,
        caller: Caller,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        tells_progress: bool = True,
        prefix: bytes = ROOT,
    ) -> None:
        """`tells_progress`: the servers' answer to a request for progress can be relied on (`PROGRESS_SINCE`).

        `prefix` is what stands in etcd in the place of `ROOT`.
        """
        self._caller = caller
        self._tells_progress = tells_progress
        self._prefix = prefix
        self._monotonic = monotonic
        self._leases: dict[int, tuple[int, float]] = {}

    async def get(self, key: bytes, revision: int = 0) -> tuple[KeyValue | None, int]:
        found = await self._caller.call(
            "KV/Range", m.RangeRequest(key=self._inner(key), revision=revision), m.RangeResponse
        )
        return (self._pair(found.kvs[0]) if found.kvs else None), found.header.revision

    async def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Page:
        request = m.RangeRequest(
            key=self._inner(max(prefix, start)), range_end=range_end(self._inner(prefix)), limit=limit, revision=revision
        )  # fmt: skip
        found = await self._caller.call("KV/Range", request, m.RangeResponse)
        items = [self._pair(kv) for kv in found.kvs]
        return Page(items, revision or found.header.revision, found.count - len(items))

    async def count(self, prefix: bytes) -> int:
        request = m.RangeRequest(key=self._inner(prefix), range_end=range_end(self._inner(prefix)), count_only=True)
        return (await self._caller.call("KV/Range", request, m.RangeResponse)).count

    async def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Written:
        return await self._put(key, value, 0, ttl)

    async def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Written:
        return await self._put(key, value, expected, ttl)

    async def delete(self, key: bytes, expected: int = 0) -> Written:
        key = self._inner(key)
        request = m.TxnRequest(
            compare=[m.Compare(key=key, mod_revision=expected)] if expected else [],
            success=[m.RequestOp(delete=m.DeleteRangeRequest(key=key))],
            failure=[m.RequestOp(range=m.RangeRequest(key=key))],
        )
        done = await self._caller.call("KV/Txn", request, m.TxnResponse)
        answer = done.responses[0]
        if not done.succeeded:
            return Written(False, done.header.revision, self._first(answer.range.kvs if answer.range else []))
        return Written(bool(answer.delete and answer.delete.deleted), done.header.revision, None)

    async def _put(self, key: bytes, value: bytes, expected: int, ttl: int) -> Written:
        key = self._inner(key)
        read = m.RequestOp(range=m.RangeRequest(key=key))
        put = m.RequestOp(put=m.PutRequest(key=key, value=value, lease=await self._lease(ttl)))
        request = m.TxnRequest(
            compare=[m.Compare(key=key, mod_revision=expected)], success=[read, put], failure=[read]
        )  # fmt: skip
        done = await self._caller.call("KV/Txn", request, m.TxnResponse)
        before = done.responses[0].range
        return Written(done.succeeded, done.header.revision, self._first(before.kvs if before else []))

    async def _lease(self, ttl: int) -> int:
        """A lease that ends `ttl` seconds from now, or at most LEASE_SHARE of that later; 0 for no lease."""
        if not ttl:
            return 0
        lease, until = self._leases.get(ttl, (0, 0.0))
        if self._monotonic() < until:
            return lease
        lasting = int(ttl * (1 + LEASE_SHARE))
        granted = await self._caller.call("Lease/LeaseGrant", m.LeaseGrantRequest(ttl=lasting), m.LeaseGrantResponse)
        self._leases[ttl] = (granted.id, self._monotonic() + lasting - ttl)
        return granted.id

    @asynccontextmanager
    async def watch(self, prefix: bytes, after: int) -> AsyncIterator[Watcher]:
        request = m.WatchCreateRequest(
            key=self._inner(prefix), range_end=range_end(self._inner(prefix)), start_revision=after + 1
        )
        async with self._caller.watch(request) as stream:
            created = await stream.read()
            if created is grpc.aio.EOF:
                raise UnavailableError("etcd: the watch was not accepted")
            check(created)
            yield EtcdWatcher(stream, after, self._event, partial(self._touch, self._inner(prefix)))

    async def _touch(self, prefix: bytes, stream: grpc.aio.StreamStreamCall) -> None:
        """Let the watches hear something: of their progress, or where that cannot be relied on, of a write."""
        if self._tells_progress:
            await stream.write(m.WatchRequest(progress_request=m.WatchProgressRequest()))
            return
        put = m.RequestOp(put=m.PutRequest(key=prefix + PROGRESS_KEY, value=b"-"))
        await self._caller.call("KV/Txn", m.TxnRequest(compare=[], success=[put], failure=[]), m.TxnResponse)

    def _inner(self, key: bytes) -> bytes:
        """A key of ours as it is in etcd."""
        return self._prefix + key[len(ROOT) :] if key.startswith(ROOT) else key

    def _outer(self, key: bytes) -> bytes:
        return ROOT + key[len(self._prefix) :] if key.startswith(self._prefix) else key

    def _pair(self, kv: m.KeyValue) -> KeyValue:
        return KeyValue(self._outer(kv.key), kv.value, kv.mod_revision, kv.create_revision)

    def _first(self, kvs: list[m.KeyValue]) -> KeyValue | None:
        return self._pair(kvs[0]) if kvs else None

    def _event(self, one: m.Event) -> Event:
        value = None if one.type else one.kv.value
        return Event(self._outer(one.kv.key), value, one.kv.mod_revision, one.kv.create_revision)

    async def size(self) -> int:
        return (await self._caller.call("Maintenance/Status", m.StatusRequest(), m.StatusResponse)).db_size

    async def current_revision(self) -> int:
        return (await self.get(b"\0"))[1]

    async def compact(self, revision: int) -> None:
        try:
            await self._caller.call("KV/Compact", m.CompactionRequest(revision=revision), m.CompactionResponse)
        except CompactedError:
            return

    async def close(self) -> None:
        await self._caller.close()


class EtcdWatcher:
    """The events of a watch stream."""

    def __init__(
        self,
        stream: grpc.aio.StreamStreamCall,
        after: int,
        read: Callable[[m.Event], Event],
        touch: Callable[[grpc.aio.StreamStreamCall], Awaitable[None]],
    ) -> None:
        self._stream = stream
        self._read = read
        self._touch = touch
        self.revision = after

    async def ask_progress(self) -> None:
        try:
            await self._touch(self._stream)
        except (UnavailableError, grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            return  # the stream has ended, which the reader hears of too

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        while True:
            try:
                answer = await self._stream.read()
            except grpc.aio.AioRpcError as error:
                raise translate(error) from error
            if answer is grpc.aio.EOF:
                raise UnavailableError("etcd: the watch stream has ended")
            check(answer)
            if answer.events:
                events = [self._read(one) for one in answer.events]
                self.revision = max(self.revision, events[-1].revision)
                yield events
            elif answer.header.revision > self.revision:
                self.revision = answer.header.revision
                yield []


def check(answer: m.WatchResponse) -> None:
    """Raises the error that a cancelled watch stands for."""
    if answer.compact_revision:
        raise CompactedError(answer.compact_revision)
    if answer.canceled:
        raise UnavailableError(f"etcd: watch cancelled: {answer.cancel_reason.decode(errors='replace')}")


def range_end(prefix: bytes) -> bytes:
    """The first key after all that begin with `prefix`; a zero byte stands for no end."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\0"


async def open_store(
    url: str, *, ca: str = "", certificate: str = "", key: str = "", prefix: str = ROOT.decode()
) -> EtcdBackend:
    """Connect to `etcd://HOST:PORT[,...]`; `etcds://` or an authority's file is for TLS.

    Raises UnavailableError if nobody answers there, OSError for files that cannot be read.
    """
    caller = Caller(Target.parse(url, ca=ca, certificate=certificate, key=key).open())
    try:
        status = await caller.call("Maintenance/Status", m.StatusRequest(), m.StatusResponse)
    except UnavailableError:
        await caller.close()
        raise
    inner = b"/" + prefix.strip("/").encode()
    return EtcdBackend(caller, tells_progress=tells_progress(status.version.decode(errors="replace")), prefix=inner)


def tells_progress(version: str) -> bool:
    """Whether an etcd of this version tells no progress before the events that it is about."""
    try:
        major, minor, patch = (int(part) for part in version.partition("-")[0].split(".")[:3])
    except ValueError:
        return False
    since = PROGRESS_SINCE.get((major, minor))
    return patch >= since if since is not None else (major, minor) > max(PROGRESS_SINCE)
