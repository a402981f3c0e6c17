"""One driver on its socket: CSI's node service, with what it can do asked once."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol, TypeVar

from pybernetes.aio.grpc.errors import Code, GrpcError, Message
from pybernetes.kubelet.volumes.csi import messages as m
from pybernetes.kubelet.volumes.files import VolumeError

SECONDS = 120.0
"""Upstream's time for a call."""

A = TypeVar("A", bound=Message)

_UNCERTAIN = frozenset({
    Code.CANCELLED, Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.ABORTED,
})  # fmt: skip
"""After which the driver may be at it still, or may have done it."""


class Can(IntEnum):
    """NodeServiceCapability.RPC.Type"""

    STAGE_UNSTAGE_VOLUME = 1
    GET_VOLUME_STATS = 2
    EXPAND_VOLUME = 3
    VOLUME_CONDITION = 4
    SINGLE_NODE_MULTI_WRITER = 5
    VOLUME_MOUNT_GROUP = 6


class DriverError(VolumeError):
    """What the driver answered. `is_final`: for sure nothing of it is under way; `is_in_use`: not while it is used."""

    def __init__(self, error: GrpcError) -> None:
        super().__init__(str(error))
        self.code = error.code
        self.is_final = error.code not in _UNCERTAIN
        self.is_in_use = error.code == Code.FAILED_PRECONDITION


class Channel(Protocol):
    """`aio.grpc.client.Channel`."""

    async def call(self, method: str, request: Message, answer: type[A], seconds: float | None = None) -> A: ...

    def close(self) -> None: ...


class Driver:
    """Calls raise DriverError and may be repeated."""

    def __init__(self, name: str, channel: Channel) -> None:
        self.name, self._channel = name, channel
        self._can: frozenset[int] | None = None

    async def info(self) -> m.NodeInfo:
        return await self._call("NodeGetInfo", m.Empty(), m.NodeInfo)

    async def can(self, capability: Can) -> bool:
        if self._can is None:
            found = await self._call("NodeGetCapabilities", m.Empty(), m.CapabilitiesResponse)
            self._can = frozenset(each.rpc.type for each in found.capabilities if each.rpc is not None)
        return capability in self._can

    async def stage(self, request: m.StageRequest) -> None:
        await self._call("NodeStageVolume", request, m.Empty)

    async def unstage(self, handle: str, path: str) -> None:
        await self._call("NodeUnstageVolume", m.UnstageRequest(volume_id=handle, staging_target_path=path), m.Empty)

    async def publish(self, request: m.PublishRequest) -> None:
        await self._call("NodePublishVolume", request, m.Empty)

    async def unpublish(self, handle: str, path: str) -> None:
        await self._call("NodeUnpublishVolume", m.UnpublishRequest(volume_id=handle, target_path=path), m.Empty)

    async def expand(self, request: m.ExpandRequest) -> int:
        """The size in bytes; 0 where the driver does not say."""
        return (await self._call("NodeExpandVolume", request, m.ExpandResponse)).capacity_bytes

    async def stats(self, request: m.StatsRequest) -> list[m.VolumeUsage]:
        return (await self._call("NodeGetVolumeStats", request, m.StatsResponse)).usage

    async def _call(self, method: str, request: Message, answer: type[A]) -> A:
        try:
            return await self._channel.call(f"{m.NODE}/{method}", request, answer, SECONDS)
        except GrpcError as error:
            raise DriverError(error) from error

    def close(self) -> None:
        self._channel.close()
