"""Where device plugins register: at `<root>/device-plugins/kubelet.sock`, or as plugins of the type DevicePlugin do."""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.aio.grpc.listening import listening
from pybernetes.aio.tasks import Scope
from pybernetes.api.resource_names import is_extended
from pybernetes.kubelet.deviceplugins.errors import DeviceError
from pybernetes.kubelet.deviceplugins.resources import Resources
from pybernetes.kubelet.plugins.handler import Plugin, PluginRefused

if TYPE_CHECKING:
    from pybernetes.aio.grpc.server import Methods
    from pybernetes.kubelet.deviceplugins.messages import Empty, RegisterRequest
    from pybernetes.kubelet.deviceplugins.plugin import DevicePlugin

log = logging.getLogger(__name__)

VERSION = "v1beta1"


class DevicePlugins:
    """A `Handler`, and the server. A plugin that registers takes the place of the one that has its resource.

    `save` is called when there is another resource to be remembered.
    """

    def __init__(
        self, directory: Path, resources: Resources, scope: Scope, save: Callable[[], Awaitable[None]]
    ) -> None:
        self._directory, self._resources, self._scope, self._save = directory, resources, scope, save
        self._following: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve, until cancelled. Plugins register again when they see that the socket is a new one."""
        for path in self._directory.iterdir():
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()
        async with listening(self._directory / "kubelet.sock", self._methods):
            await asyncio.get_running_loop().create_future()

    def _methods(self) -> Methods:
        from pybernetes.aio.grpc.server import Unary
        from pybernetes.kubelet.deviceplugins.messages import REGISTER, RegisterRequest

        return {REGISTER: Unary(RegisterRequest, self._register)}

    async def _register(self, request: RegisterRequest) -> Empty:
        from pybernetes.aio.grpc.errors import Code, GrpcError
        from pybernetes.kubelet.deviceplugins.messages import Empty

        try:
            if request.version != VERSION:
                raise DeviceError(
                    f'requested API version "{request.version}" is not supported by kubelet. '
                    f'Supported version is ["{VERSION}"]'
                )
            if not is_extended(request.resource_name):
                raise DeviceError(f'the ResourceName "{request.resource_name}" is invalid')
            await self._connect(request.resource_name, self._directory / request.endpoint)
        except DeviceError as error:
            log.warning("device plugin not registered resource=%s error=%s", request.resource_name, error)
            raise GrpcError(Code.UNKNOWN, str(error)) from error
        return Empty()

    async def _connect(self, name: str, endpoint: Path) -> None:
        from pybernetes.kubelet.deviceplugins.plugin import DevicePlugin

        plugin = DevicePlugin(endpoint)
        try:
            await plugin.connect()
        except DeviceError:
            plugin.close()
            raise
        await self._end(name)
        self._resources.came(name, plugin)
        self._following[name] = self._scope.spawn(self._follow(name, plugin), f"device plugin {name}")
        log.info("device plugin registered resource=%s endpoint=%s", name, endpoint)
        await self._save()

    async def _follow(self, name: str, plugin: DevicePlugin) -> None:
        try:
            await plugin.follow(lambda devices: self._resources.told(name, plugin, devices))
            log.info("device plugin is gone resource=%s", name)
        except DeviceError as error:
            log.info("device plugin is gone resource=%s error=%s", name, error)
        finally:
            plugin.close()
            self._resources.left(name, plugin)

    async def _end(self, name: str) -> None:
        if task := self._following.pop(name, None):
            task.cancel()
            await asyncio.wait((task,))

    # As a handler

    def validate(self, plugin: Plugin) -> None:
        if VERSION not in plugin.versions:
            given = " ".join(plugin.versions)
            raise PluginRefused(f"manager version, {VERSION}, is not among plugin supported versions [{given}]")
        if not is_extended(plugin.name):
            raise PluginRefused(f'invalid name of device plugin socket: the ResourceName "{plugin.name}" is invalid')

    async def register(self, plugin: Plugin) -> None:
        try:
            await self._connect(plugin.name, plugin.endpoint)
        except DeviceError as error:
            raise PluginRefused(str(error)) from error

    async def deregister(self, plugin: Plugin) -> None:
        await self._end(plugin.name)
