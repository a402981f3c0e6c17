"""Calls to etcd over gRPC, and its errors in the contract's words. grpcio: the reference implementation, one wheel."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
from msgspec import Struct

from pybernetes.store.backend import CompactedError, FutureRevisionError, StoreError, UnavailableError
from pybernetes.store.etcd import messages as m
from pybernetes.wire.message import Message

R = TypeVar("R", bound=Message)

CALL_SECONDS = 10.0
READS = frozenset(("KV/Range", "KV/Compact", "Lease/LeaseGrant", "Maintenance/Status"))
"""Calls that may be made twice."""


class Target(Struct, frozen=True):
    """Where etcd is, and the files of the TLS credentials (all or none)."""

    endpoints: tuple[str, ...]
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @classmethod
    def parse(cls, url: str, *, ca: str = "", certificate: str = "", key: str = "") -> Target:
        """`etcd://HOST:PORT[,HOST:PORT...]`, or `etcds://` for TLS with authorities that the machine trusts."""
        endpoints = tuple(re.sub(r"^\w+://", "", part) for part in url.split(",") if part)
        if not endpoints or not all(re.fullmatch(r"(\[.+\]|[^:/]+):\d+", endpoint) for endpoint in endpoints):
            raise UnavailableError(f"{url!r} names no etcd: etcd://HOST:PORT[,HOST:PORT...]")
        return cls(endpoints, url.startswith("etcds://") or bool(ca), ca, certificate, key)

    def open(self) -> list[grpc.aio.Channel]:
        """A channel for each endpoint; none connects before it is used. Raises OSError for missing files."""
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
        ]
        if not self.tls:
            return [grpc.aio.insecure_channel(endpoint, options=options) for endpoint in self.endpoints]
        files = (self.ca, self.key, self.certificate)
        ca, key, certificate = (Path(file).read_bytes() if file else None for file in files)
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        return [grpc.aio.secure_channel(endpoint, credentials, options=options) for endpoint in self.endpoints]


class Caller:
    """The unary calls and the watch stream; of several endpoints one is used until it fails, then the next."""

    def __init__(self, channels: list[grpc.aio.Channel]) -> None:
        self._channels = channels
        self._current = 0

    async def call(self, method: str, request: Message, answer: type[R]) -> R:
        """One call, e.g. "KV/Range". What only reads is asked of every endpoint before it fails."""
        tries = len(self._channels) if method in READS else 1
        for attempt in range(tries):
            channel = self._channels[self._current]
            stub = channel.unary_unary(
                f"/etcdserverpb.{method}", request_serializer=Message.encode, response_deserializer=answer.decode
            )
            try:
                found: R = await stub(request, timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                failure = self._translate(error, channel)
                if attempt == tries - 1 or not isinstance(failure, UnavailableError):
                    raise failure from error
            else:
                return found
        raise AssertionError("there is an endpoint")

    def _translate(self, error: grpc.aio.AioRpcError, channel: grpc.aio.Channel) -> StoreError:
        failure = translate(error)
        if isinstance(failure, UnavailableError):
            self._leave(channel)
        return failure

    def _leave(self, channel: grpc.aio.Channel) -> None:
        """Use the next endpoint from now on, unless somebody else has noticed before."""
        if self._channels[self._current] is channel:
            self._current = (self._current + 1) % len(self._channels)

    @asynccontextmanager
    async def watch(self, request: m.WatchCreateRequest) -> AsyncIterator[Any]:
        """The stream's answers, the first of which says that the watch stands."""
        channel = self._channels[self._current]
        stub = channel.stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=Message.encode,
            response_deserializer=m.WatchResponse.decode,
        )
        stream = stub()
        try:
            await stream.write(m.WatchRequest(create_request=request))
            yield stream
        except grpc.aio.AioRpcError as error:
            raise self._translate(error, channel) from error
        except UnavailableError:
            self._leave(channel)
            raise
        finally:
            stream.cancel()

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


def translate(error: grpc.aio.AioRpcError) -> StoreError:
    """etcd tells its errors by their texts."""
    details = error.details() or ""
    if "required revision has been compacted" in details:
        return CompactedError(0)
    if "required revision is a future revision" in details:
        return FutureRevisionError(0)
    return UnavailableError(f"etcd: {error.code().name}: {details}")
