"""Calls to etcd over gRPC, and its errors in the contract's words. grpcio: the reference implementation, one wheel."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio

from pybernetes.store.backend import CompactedError, FutureRevisionError, StoreError, UnavailableError
from pybernetes.store.etcd import messages as m

R = TypeVar("R", bound=m.Message)

CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where etcd is, and the files of the TLS credentials (all or none)."""

    endpoints: tuple[str, ...]
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @classmethod
    def parse(cls, url: str, *, ca: str = "", certificate: str = "", key: str = "") -> Target:
        """`etcd://host:port[,host:port...]`; upstream's `http(s)://host:port,...` is understood too."""
        endpoints = tuple(re.sub(r"^\w+://", "", part) for part in url.split(",") if part)
        if not endpoints or not all(re.fullmatch(r"(\[.+\]|[^:/]+):\d+", endpoint) for endpoint in endpoints):
            raise UnavailableError(f"{url!r} names no etcd: etcd://HOST:PORT[,HOST:PORT...]")
        return cls(endpoints, ca, certificate, key)

    def open(self) -> grpc.aio.Channel:
        address = self.endpoints[0] if len(self.endpoints) == 1 else "ipv4:" + ",".join(self.endpoints)
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.lb_policy_name", "round_robin"),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
        ]
        if not self.ca:
            return grpc.aio.insecure_channel(address, options=options)
        files = (self.ca, self.key, self.certificate)
        ca, key, certificate = (Path(file).read_bytes() if file else None for file in files)
        return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca, key, certificate), options=options)


class Caller:
    """The unary calls and the watch stream of one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def call(self, method: str, request: m.Message, answer: type[R]) -> R:
        """One call, e.g. "KV/Range"."""
        stub = self._channel.unary_unary(
            f"/etcdserverpb.{method}", request_serializer=m.Message.encode, response_deserializer=answer.decode
        )
        try:
            found: R = await stub(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error
        return found

    @asynccontextmanager
    async def watch(self, request: m.WatchCreateRequest) -> AsyncIterator[Any]:
        """The stream's answers, the first of which says that the watch stands."""
        stub = self._channel.stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=m.Message.encode,
            response_deserializer=m.WatchResponse.decode,
        )
        stream = stub()
        try:
            await stream.write(m.WatchRequest(create_request=request))
            yield stream
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error
        finally:
            stream.cancel()

    async def close(self) -> None:
        await self._channel.close()


def translate(error: grpc.aio.AioRpcError) -> StoreError:
    """etcd tells its errors by their texts."""
    details = error.details() or ""
    if "required revision has been compacted" in details:
        return CompactedError(0)
    if "required revision is a future revision" in details:
        return FutureRevisionError(0)
    return UnavailableError(f"etcd: {error.code().name}: {details}")
