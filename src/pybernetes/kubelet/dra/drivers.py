"""The drivers of devices that are registered on this node, and what is left of those that are gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.plugins.handler import Plugin, PluginRefused

if TYPE_CHECKING:
    from pybernetes.kubelet.dra.driver import Driver
    from pybernetes.kubelet.dra.health import Health

log = logging.getLogger(__name__)

SERVICES = ("v1.DRAPlugin", "v1beta1.DRAPlugin")
WIPING_SECONDS = 30.0


class _Instance(Struct, frozen=True):
    driver: Driver
    tasks: tuple[asyncio.Task[None], ...]


class Drivers:
    """A `Handler`. Several instances of a driver may be there, as while one replaces another.

    `wipe(name)` deletes the ResourceSlices of a driver that cannot be reached for thirty seconds: nobody could prepare
    what the scheduler would allocate of them. `came` is called when a driver can be reached.
    """

    def __init__(
        self,
        scope: Scope,
        clock: Clock,
        health: Health,
        wipe: Callable[[str], Awaitable[None]],
        came: Callable[[], None],
    ) -> None:
        self._scope, self._clock, self._health, self._wipe, self._came = scope, clock, health, wipe, came
        self._instances: dict[str, list[_Instance]] = {}
        self._wipes: dict[str, asyncio.Task[None]] = {}

    def get(self, name: str) -> Driver:
        """The newest instance that can be reached, else the newest. Raises ClaimError."""
        instances = self._instances.get(name, [])
        if not instances:
            raise ClaimError(f"DRA driver {name} is not registered")
        connected = [each for each in instances if each.driver.is_connected]
        return (connected or instances)[-1].driver

    def validate(self, plugin: Plugin) -> None:
        _service(plugin)

    async def register(self, plugin: Plugin) -> None:
        from pybernetes.kubelet.dra.driver import Driver

        instances = self._instances.setdefault(plugin.name, [])
        if any(each.driver.plugin.endpoint == plugin.endpoint for each in instances):
            words = f"endpoint {plugin.endpoint} already registered for DRA driver plugin {plugin.name}"
            raise PluginRefused(words)
        driver = Driver(plugin, _service(plugin), self._clock, lambda: self._changed(plugin.name))
        tasks = (
            self._scope.spawn(driver.run(), f"driver {plugin.name}"),
            self._scope.spawn(self._health.follow(driver), f"health {plugin.name}"),
        )
        instances.append(_Instance(driver, tasks))
        self._changed(plugin.name)

    async def deregister(self, plugin: Plugin) -> None:
        instances = self._instances.get(plugin.name, [])
        for instance in [each for each in instances if each.driver.plugin.endpoint == plugin.endpoint]:
            instances.remove(instance)
            for task in instance.tasks:
                task.cancel()
            await asyncio.wait(instance.tasks)
        self._changed(plugin.name)

    def _changed(self, name: str) -> None:
        if any(each.driver.is_connected for each in self._instances.get(name, [])):
            if (wipe := self._wipes.pop(name, None)) is not None:
                wipe.cancel()
            self._came()
        elif name not in self._wipes:
            self._wipes[name] = self._scope.spawn(self._wipe_later(name), f"wipe {name}")

    async def _wipe_later(self, name: str) -> None:
        await self._clock.sleep(WIPING_SECONDS)
        log.info("driver cannot be reached, its ResourceSlices are deleted driver=%s", name)
        await self._wipe(name)
        self._wipes.pop(name, None)


def _service(plugin: Plugin) -> str:
    """The first service of the plugin that is spoken here. Raises PluginRefused."""
    found = next((service for service in plugin.versions if service in SERVICES), None)
    if found is not None:
        return found
    why = "empty list of supported gRPC services (aka supported versions)"
    if plugin.versions:
        given, ours = (" ".join(f'"{each}"' for each in some) for some in (plugin.versions, SERVICES))
        why = f"none of services supported by the plugin ([{given}]) are supported by the kubelet ([{ours}])"
    raise PluginRefused(
        f"invalid supported gRPC versions of DRA driver plugin {plugin.name} at endpoint {plugin.endpoint}: {why}"
    )
