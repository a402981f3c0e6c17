"""A node's plugins, composed: who registers with whom, and what the rest of the kubelet asks of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.aio.grpc.listening import listening
from pybernetes.aio.tasks import Scope, keep_running
from pybernetes.aio.threads import Worker
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.api import PodApi
from pybernetes.kubelet.deviceplugins.allocator import Allocator
from pybernetes.kubelet.deviceplugins.registry import DevicePlugins
from pybernetes.kubelet.deviceplugins.resources import Resources
from pybernetes.kubelet.dra.claims import Claims
from pybernetes.kubelet.dra.drivers import Drivers
from pybernetes.kubelet.dra.health import Health
from pybernetes.kubelet.dra.state import ClaimStore
from pybernetes.kubelet.node.status import NodeFacts
from pybernetes.kubelet.plugins.handler import CSI_PLUGIN, DEVICE_PLUGIN, DRA_PLUGIN, Handler
from pybernetes.kubelet.plugins.watcher import PluginWatcher
from pybernetes.kubelet.podspec import uid_of
from pybernetes.kubelet.root import Root

if TYPE_CHECKING:
    from pybernetes.aio.grpc.server import Methods


class Told(Struct, frozen=True):
    """Who hears of what plugins do."""

    node_changed: Callable[[], None]
    """The node has more or less of a resource."""
    devices_changed: Callable[[Iterable[str]], None]
    """Something is to be told of the devices that these pods have, by UID."""
    driver_came: Callable[[], None]
    """A driver of devices can be reached."""
    pods: Callable[[], list[v1.Pod]]
    """Those that still take something of the node."""


class NodePlugins:
    """`claims` and `devices` are what pod workers ask."""

    def __init__(
        self, root: Root, node: str, api: PodApi, told: Told, clock: Clock, scope: Scope, threads: Worker
    ) -> None:
        self._root, self._node, self._api, self._told, self._clock, self._scope = root, node, api, told, clock, scope
        store = ClaimStore(root.own / "dra_claims.json", threads)
        store.load()
        health = Health(clock, lambda *device: told.devices_changed(self.claims.users_of(*device)))
        self._drivers = Drivers(scope, clock, health, lambda driver: api.delete_slices(node, driver), told.driver_came)
        self.claims = Claims(store, self._drivers, health, api.claim)
        self._resources = Resources(clock, self._devices_changed)
        self.devices = Allocator(root, self._resources, lambda: [uid_of(pod) for pod in told.pods()], threads)
        self._device_plugins = DevicePlugins(root.device_plugins, self._resources, scope, self.devices.save)

    def _devices_changed(self, resource: str, devices: Collection[str]) -> None:
        self._told.node_changed()
        self._told.devices_changed(self.devices.users_of(resource, devices))

    def facts(self, facts: NodeFacts) -> NodeFacts:
        """With what device plugins announce."""
        amounts = self._resources.amounts()
        return msgspec.structs.replace(facts, devices=amounts, removed=frozenset(self._resources.removed))

    def follow(self, csi: Handler) -> None:
        """Begin to take plugins in."""
        handlers = {CSI_PLUGIN: csi, DRA_PLUGIN: self._drivers, DEVICE_PLUGIN: self._device_plugins}
        for name, run in (
            ("plugins", PluginWatcher(self._root, handlers, self._clock).run),
            ("device plugins", self._device_plugins.run),
        ):
            self._scope.spawn(keep_running(run, name, clock=self._clock), name)

    def forget_slices(self) -> asyncio.Task[None]:
        """No driver is here yet, and some may never come: nothing of theirs is to be allocated until they do."""
        return self._scope.spawn(self._api.delete_slices(self._node), "stale slices")

    async def tell_resources(self, stack: AsyncExitStack) -> None:
        """Serve what monitoring asks of devices, until `stack` ends it."""
        await stack.enter_async_context(listening(self._root.pod_resources / "kubelet.sock", self._methods))

    def _methods(self) -> Methods:
        from pybernetes.kubelet.deviceplugins.pod_resources import PodResourcesService

        return PodResourcesService(self._told.pods, self._resources, self.devices, self.claims).methods()
