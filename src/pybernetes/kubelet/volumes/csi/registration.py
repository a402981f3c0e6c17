"""Takes drivers that register (plugins of type CSIPlugin): asks what the node is to them, and tells the cluster."""

from __future__ import annotations

import logging
from typing import Final

from pybernetes.aio.grpc.client import Channel
from pybernetes.api.errors import StatusError
from pybernetes.kubelet.plugins.handler import Plugin, PluginRefused
from pybernetes.kubelet.volumes.csi.driver import Driver, DriverError
from pybernetes.kubelet.volumes.csi.drivers import Drivers
from pybernetes.kubelet.volumes.csi.nodeinfo import NodeInfoWriter, TopologyCollision

log = logging.getLogger(__name__)

_NEWEST: Final = 1
"""Major version of CSI."""


class Registration:
    """`plugins.handler.Handler`."""

    def __init__(self, drivers: Drivers, writer: NodeInfoWriter) -> None:
        self._drivers, self._writer = drivers, writer

    def validate(self, plugin: Plugin) -> None:
        where = f"validation failed for CSI Driver {plugin.name} at endpoint {plugin.endpoint}"
        failed = f"kubernetes.io/csi: ValidatePlugin for CSI driver {plugin.name!r} failed."
        if not plugin.versions:
            raise PluginRefused(f"{where}: {failed} Plugin returned an empty list for supported versions")
        if not any(_is_spoken(version) for version in plugin.versions):
            raise PluginRefused(
                f"{where}: {failed} None of the versions specified {list(plugin.versions)} are supported."
            )

    async def register(self, plugin: Plugin) -> None:
        driver = Driver(plugin.name, Channel(plugin.endpoint))
        try:
            await self._writer.write(plugin.name, await driver.info())
        except (DriverError, StatusError, TopologyCollision) as error:
            driver.close()
            raise PluginRefused(str(error)) from error
        self._drivers.put(driver)

    async def deregister(self, plugin: Plugin) -> None:
        self._drivers.remove(plugin.name)
        if plugin.socket.exists():
            return  # it is the kubelet that ends: the driver is as good as before
        try:
            await self._writer.write(plugin.name, None)
        except StatusError as error:
            log.warning("CSINode not written driver=%s error=%s", plugin.name, error.message)


def _is_spoken(version: str) -> bool:
    major = version.removeprefix("v").partition(".")[0]
    return major.isdigit() and int(major) <= _NEWEST
