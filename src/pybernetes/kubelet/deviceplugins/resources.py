"""The extended resources that device plugins announce, and their devices."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from pybernetes.aio.clock import Clock

if TYPE_CHECKING:
    from pybernetes.kubelet.deviceplugins.messages import Device
    from pybernetes.kubelet.deviceplugins.plugin import DevicePlugin

log = logging.getLogger(__name__)

GONE_SECONDS = 300.0
"""So long a plugin may be away before its resource is no longer the node's."""


class Known(Struct, frozen=True):
    """A device as its plugin last told of it."""

    healthy: bool
    numa: tuple[int, ...] = ()


class Amount(Struct, frozen=True):
    """What the node tells of a resource."""

    capacity: int
    allocatable: int


class Resource(Struct):
    """`plugin` is None while there is none, since `gone_at` (of the monotonic clock)."""

    plugin: DevicePlugin | None = None
    gone_at: float = 0.0
    devices: dict[str, Known] = field(default_factory=dict)

    def healthy(self) -> list[str]:
        return [name for name, device in self.devices.items() if device.healthy]


class Resources:
    """`changed(resource, devices)` is called when some devices are no longer what they were."""

    def __init__(self, clock: Clock, changed: Callable[[str, Collection[str]], None]) -> None:
        self._clock, self._changed = clock, changed
        self._resources: dict[str, Resource] = {}
        self.removed: set[str] = set()
        """What was the node's since the kubelet started, and is no longer."""

    def restore(self, names: Collection[str]) -> None:
        """Resources of the kubelet before this one: nothing of them can be had until their plugins come back."""
        for name in names:
            self._resources.setdefault(name, Resource(gone_at=self._clock.monotonic()))

    def names(self) -> list[str]:
        return list(self._resources)

    def get(self, name: str) -> Resource | None:
        return self._resources.get(name)

    def came(self, name: str, plugin: DevicePlugin) -> None:
        """A plugin serves the resource from now on; it replaces the one before."""
        self.removed.discard(name)
        self._resources.setdefault(name, Resource()).plugin = plugin

    def told(self, name: str, plugin: DevicePlugin, devices: Sequence[Device]) -> None:
        """All devices there are. Of a plugin that was replaced nothing counts."""
        from pybernetes.kubelet.deviceplugins.messages import HEALTHY

        resource = self._resources.get(name)
        if resource is None or resource.plugin is not plugin:
            return
        before = resource.devices
        resource.devices = {
            device.id: Known(
                device.health == HEALTHY, tuple(node.id for node in device.topology.nodes) if device.topology else ()
            )
            for device in devices
        }
        self._tell(name, before, resource.devices)

    def left(self, name: str, plugin: DevicePlugin) -> None:
        """A plugin is gone: its devices are not well, as long as the node has them."""
        resource = self._resources.get(name)
        if resource is None or resource.plugin is not plugin:
            return
        before = resource.devices
        resource.plugin, resource.gone_at = None, self._clock.monotonic()
        resource.devices = {name: Known(False, device.numa) for name, device in before.items()}
        self._tell(name, before, resource.devices)

    def _tell(self, name: str, before: dict[str, Known], after: dict[str, Known]) -> None:
        changed = {device for device in before.keys() | after.keys() if before.get(device) != after.get(device)}
        self._changed(name, changed)

    def amounts(self) -> dict[str, Amount]:
        """Capacity counts every device, allocatable those that are well. What is gone for too long is forgotten."""
        now = self._clock.monotonic()
        for name, resource in list(self._resources.items()):
            if resource.plugin is None and now - resource.gone_at > GONE_SECONDS:
                log.info("resource is gone with its device plugin resource=%s", name)
                del self._resources[name]
                self.removed.add(name)
        return {
            name: Amount(len(resource.devices), len(resource.healthy())) for name, resource in self._resources.items()
        }
