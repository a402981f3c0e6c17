"""Whether devices of claims are well, as their drivers tell (KEP-4680, v1alpha1.DRAResourceHealth)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from pybernetes.aio.clock import Clock

if TYPE_CHECKING:
    from pybernetes.kubelet.dra.driver import Driver
    from pybernetes.kubelet.dra.messages import DeviceHealth

WATCH = "/v1alpha1.DRAResourceHealth/NodeWatchResources"
RETRY_SECONDS = 5.0
STALE_SECONDS = 30.0
LONGEST_MESSAGE = 1024
_WORDS = {1: "Healthy", 2: "Unhealthy"}


class Told(Struct, frozen=True):
    """A word about a device, and how long it holds. `until` is in seconds of the wall clock."""

    health: str = "Unknown"
    message: str = ""
    until: float = 0.0


class Health:
    """What was last told. `changed(driver, pool, device)` is called when that is something else than before."""

    def __init__(self, clock: Clock, changed: Callable[[str, str, str], None]) -> None:
        self._clock, self._changed = clock, changed
        self._told: dict[tuple[str, str, str], Told] = {}

    def of(self, driver: str, pool: str, device: str) -> Told:
        """Unknown where nothing was told, or not for too long."""
        told = self._told.get((driver, pool, device))
        return told if told is not None and told.until >= self._clock.now().timestamp() else Told()

    async def follow(self, driver: Driver) -> None:
        """Listen to a driver until cancelled, or until it turns out to tell nothing."""
        from pybernetes.aio.grpc.errors import Code, GrpcError
        from pybernetes.kubelet.dra.messages import NodeWatchResourcesRequest, NodeWatchResourcesResponse

        name = driver.plugin.name
        try:
            while True:
                try:
                    request = NodeWatchResourcesRequest()
                    async with driver.channel.stream(WATCH, request, NodeWatchResourcesResponse) as answers:
                        async for answer in answers:
                            for device in answer.devices:
                                self._note(name, device)
                except GrpcError as error:
                    if error.code == Code.UNIMPLEMENTED:
                        return
                self._forget(name)
                await self._clock.sleep(RETRY_SECONDS)
        finally:
            self._forget(name)

    def _note(self, driver: str, given: DeviceHealth) -> None:
        if given.device is None:
            return
        key = driver, given.device.pool_name, given.device.device_name
        seconds = given.health_check_timeout_seconds
        until = self._clock.now().timestamp() + (seconds if seconds > 0 else STALE_SECONDS)
        told = Told(_WORDS.get(given.health, "Unknown"), _cut(given.message), until)
        before = self._told.get(key, Told())
        self._told[key] = told
        if (before.health, before.message) != (told.health, told.message):
            self._changed(*key)

    def _forget(self, driver: str) -> None:
        for key in [key for key in self._told if key[0] == driver]:
            del self._told[key]
            self._changed(*key)


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 3] + "..."
