"""CSI as the rest of the kubelet sees it: nothing of it is loaded before a driver, or a volume of one, is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.aio.threads import Worker
from pybernetes.api.types import core_v1 as v1
from pybernetes.client.informer import Informer
from pybernetes.client.rest import Client
from pybernetes.kubelet.events import Events
from pybernetes.kubelet.plugins.handler import Plugin
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.volumes.context import CsiMount, Tokens
from pybernetes.kubelet.volumes.csi.places import Places, has_volumes
from pybernetes.kubelet.volumes.usage import Usage

if TYPE_CHECKING:
    from pybernetes.kubelet.volumes.csi.node import CsiNode
    from pybernetes.kubelet.volumes.csi.registration import Registration


class CsiDoor:
    """`volumes.context.Csi` and, for plugins of type CSIPlugin, `plugins.handler.Handler`."""

    def __init__(
        self, root: Root, client: Client, own: Informer[v1.Node], node: str, clock: Clock, threads: Worker,
        tokens: Tokens, events: Events, report: Callable[[], None], scope: Scope,
    ) -> None:  # fmt: skip
        """`own` follows this Node, whose status `report` has written; tasks are the scope's."""
        self._root, self._client, self._own, self._node = root, client, own, node
        self._clock, self._threads, self._tokens, self._events = clock, threads, tokens, events
        self._report, self._scope = report, scope
        self._made: tuple[CsiNode, Registration] | None = None
        if Places(root.own).plugin.exists():
            self._make()

    def _make(self) -> tuple[CsiNode, Registration]:
        if self._made is None:
            from pybernetes.kubelet.volumes.csi.context import Doors
            from pybernetes.kubelet.volumes.csi.drivers import Drivers
            from pybernetes.kubelet.volumes.csi.node import CsiNode
            from pybernetes.kubelet.volumes.csi.nodeinfo import NodeInfoWriter
            from pybernetes.kubelet.volumes.csi.registration import Registration

            drivers = Drivers()
            doors = Doors(
                self._root, self._client, self._clock, self._threads, self._tokens, self._events, self._node, drivers
            )
            writer = NodeInfoWriter(self._client, self._clock, self._node)
            self._made = CsiNode(doors, self._own, self._report, self._scope), Registration(drivers, writer)
        return self._made

    # Volumes

    async def set_up_volume(self, pod: v1.Pod, volume: v1.PersistentVolume, *, read_only: bool) -> CsiMount:
        node, _ = self._make()
        from pybernetes.kubelet.volumes.csi.source import of_volume

        return await node.set_up(pod, of_volume(volume, read_only=read_only))

    async def set_up_inline(self, pod: v1.Pod, name: str, source: v1.CSIVolumeSource) -> CsiMount:
        node, _ = self._make()
        from pybernetes.kubelet.volumes.csi.source import of_inline

        return await node.set_up(pod, of_inline(pod, name, source))

    async def tear_down(self, directory: Path) -> None:
        if self._made is None and not has_volumes(directory):
            return
        await self._make()[0].tear_down(directory)

    def serves(self, path: Path) -> bool:
        return self._made is not None and self._made[0].serves(path)

    async def usage(self, path: Path) -> Usage | None:
        return await self._make()[0].usage(path)

    def in_use(self) -> list[str]:
        return self._made[0].in_use() if self._made is not None else []

    # Drivers

    def validate(self, plugin: Plugin) -> None:
        self._make()[1].validate(plugin)

    async def register(self, plugin: Plugin) -> None:
        await self._make()[1].register(plugin)

    async def deregister(self, plugin: Plugin) -> None:
        await self._make()[1].deregister(plugin)
