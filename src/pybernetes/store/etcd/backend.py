"""The Backend over etcd: each write one transaction, each watch one stream."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc.aio

from pybernetes.store.backend import CompactedError, Event, KeyValue, Page, UnavailableError, Watcher, Written
from pybernetes.store.etcd import messages as m
from pybernetes.store.etcd.channel import Caller, Target, translate

LEASE_SHARE = 0.05
"""Keys written within this part of a lease's time share it: a lease for each event would double the writes."""


class EtcdBackend:
    """See `store.backend.Backend`. Several API servers may share one etcd."""

    def __init__(self, caller: Caller, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._caller = caller
        self._monotonic = monotonic
        self._leases: dict[int, tuple[int, float]] = {}

    async def get(self, key: bytes, revision: int = 0) -> tuple[KeyValue | None, int]:
        found = await self._caller.call("KV/Range", m.RangeRequest(key=key, revision=revision), m.RangeResponse)
        return (key_value(found.kvs[0]) if found.kvs else None), found.header.revision

    async def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Page:
        request = m.RangeRequest(
            key=max(prefix, start), range_end=range_end(prefix), limit=limit, revision=revision
        )  # fmt: skip
        found = await self._caller.call("KV/Range", request, m.RangeResponse)
        items = [key_value(kv) for kv in found.kvs]
        return Page(items, revision or found.header.revision, found.count - len(items))

    async def count(self, prefix: bytes) -> int:
        request = m.RangeRequest(key=prefix, range_end=range_end(prefix), count_only=True)
        return (await self._caller.call("KV/Range", request, m.RangeResponse)).count

    async def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Written:
        return await self._put(key, value, 0, ttl)

    async def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Written:
        return await self._put(key, value, expected, ttl)

    async def delete(self, key: bytes, expected: int = 0) -> Written:
        request = m.TxnRequest(
            compare=[m.Compare(key=key, mod_revision=expected)] if expected else [],
            success=[m.RequestOp(delete=m.DeleteRangeRequest(key=key))],
            failure=[m.RequestOp(range=m.RangeRequest(key=key))],
        )
        done = await self._caller.call("KV/Txn", request, m.TxnResponse)
        answer = done.responses[0]
        if not done.succeeded:
            return Written(False, done.header.revision, first(answer.range.kvs if answer.range else []))
        return Written(bool(answer.delete and answer.delete.deleted), done.header.revision, None)

    async def _put(self, key: bytes, value: bytes, expected: int, ttl: int) -> Written:
        read = m.RequestOp(range=m.RangeRequest(key=key))
        put = m.RequestOp(put=m.PutRequest(key=key, value=value, lease=await self._lease(ttl)))
        request = m.TxnRequest(
            compare=[m.Compare(key=key, mod_revision=expected)], success=[read, put], failure=[read]
        )  # fmt: skip
        done = await self._caller.call("KV/Txn", request, m.TxnResponse)
        before = done.responses[0].range
        return Written(done.succeeded, done.header.revision, first(before.kvs if before else []))

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
        request = m.WatchCreateRequest(key=prefix, range_end=range_end(prefix), start_revision=after + 1)
        async with self._caller.watch(request) as stream:
            created = await stream.read()
            if created is grpc.aio.EOF:
                raise UnavailableError("etcd: the watch was not accepted")
            check(created)
            yield EtcdWatcher(stream)

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

    def __init__(self, stream: grpc.aio.StreamStreamCall) -> None:
        self._stream = stream

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
                yield [event(one) for one in answer.events]


def check(answer: m.WatchResponse) -> None:
    """Raises the error that a cancelled watch stands for."""
    if answer.compact_revision:
        raise CompactedError(answer.compact_revision)
    if answer.canceled:
        raise UnavailableError(f"etcd: watch cancelled: {answer.cancel_reason.decode(errors='replace')}")


def event(one: m.Event) -> Event:
    value = None if one.type else one.kv.value
    return Event(one.kv.key, value, one.kv.mod_revision, one.kv.create_revision)


def key_value(kv: m.KeyValue) -> KeyValue:
    return KeyValue(kv.key, kv.value, kv.mod_revision, kv.create_revision)


def first(kvs: list[m.KeyValue]) -> KeyValue | None:
    return key_value(kvs[0]) if kvs else None


def range_end(prefix: bytes) -> bytes:
    """The first key after all that begin with `prefix`; a zero byte stands for no end."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\0"


async def open_store(url: str, *, ca: str = "", certificate: str = "", key: str = "") -> EtcdBackend:
    """Connect to `etcd://HOST:PORT[,...]`; raises UnavailableError if nobody answers there."""
    backend = EtcdBackend(Caller(Target.parse(url, ca=ca, certificate=certificate, key=key).open()))
    try:
        await backend.current_revision()
    except UnavailableError:
        await backend.close()
        raise
    return backend
