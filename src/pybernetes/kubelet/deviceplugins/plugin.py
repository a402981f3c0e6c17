"""One device plugin: what it announces, and what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pybernetes.aio.grpc.client import Channel
from pybernetes.aio.grpc.errors import GrpcError
from pybernetes.kubelet.deviceplugins import messages as m
from pybernetes.kubelet.deviceplugins.errors import DeviceError
from pybernetes.wire.message import Message

R = TypeVar("R", bound=Message)
PRE_START_SECONDS = 30.0


class DevicePlugin:
    """The plugin at a socket. Calls raise DeviceError."""

    def __init__(self, endpoint: Path) -> None:
        self._channel = Channel(endpoint)
        self.options = m.DevicePluginOptions()

    async def connect(self) -> None:
        """Ask how it wants to be asked."""
        try:
            self.options = await self._call("GetDevicePluginOptions", m.Empty(), m.DevicePluginOptions)
        except DeviceError as error:
            raise DeviceError(f"failed to get device plugin options: {error}") from error

    async def follow(self, told: Callable[[Sequence[m.Device]], None]) -> None:
        """Pass on each list of devices until the plugin is gone. Raises DeviceError if it does not go quietly."""
        try:
            method = f"{m.PLUGIN}/ListAndWatch"
            async with self._channel.stream(method, m.Empty(), m.ListAndWatchResponse) as lists:
                async for each in lists:
                    told(each.devices)
        except GrpcError as error:
            raise DeviceError(str(error)) from error

    async def allocate(self, devices: Sequence[str]) -> m.ContainerAllocateResponse:
        """What a container needs to use the devices."""
        one = m.ContainerAllocateRequest(devices_ids=list(devices))
        answer = await self._call("Allocate", m.AllocateRequest(container_requests=[one]), m.AllocateResponse)
        if not answer.container_responses:
            raise DeviceError(f"no containers return in allocation response {answer}")
        return answer.container_responses[0]

    async def prefer(self, available: Sequence[str], needed: Sequence[str], size: int) -> list[str]:
        """Which of the available devices it would choose, `needed` among them; nothing if it does not care."""
        if not self.options.get_preferred_allocation_available:
            return []
        one = m.ContainerPreferredAllocationRequest(
            available_device_ids=list(available), must_include_device_ids=list(needed), allocation_size=size
        )
        request = m.PreferredAllocationRequest(container_requests=[one])
        try:
            answer = await self._call("GetPreferredAllocation", request, m.PreferredAllocationResponse)
        except DeviceError as error:
            raise DeviceError(f"device plugin GetPreferredAllocation rpc failed with err: {error}") from error
        return answer.container_responses[0].device_ids if answer.container_responses else []

    async def pre_start(self, devices: Sequence[str]) -> None:
        """Before each start of a container, if the plugin wants to know."""
        if not self.options.pre_start_required:
            return
        request = m.PreStartContainerRequest(devices_ids=list(devices))
        try:
            await self._call("PreStartContainer", request, m.Empty, PRE_START_SECONDS)
        except DeviceError as error:
            raise DeviceError(f"device plugin PreStartContainer rpc failed with err: {error}") from error

    async def _call(self, method: str, request: Message, answer: type[R], seconds: float | None = None) -> R:
        try:
            return await self._channel.call(f"{m.PLUGIN}/{method}", request, answer, seconds)
        except GrpcError as error:
            raise DeviceError(str(error)) from error

    def close(self) -> None:
        self._channel.close()
