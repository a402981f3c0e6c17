"""One plugin's registration: who it is, whether it is taken, and that it is told (pluginregistration.v1)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pybernetes.aio.grpc.client import Channel
from pybernetes.aio.grpc.errors import GrpcError
from pybernetes.kubelet.plugins.handler import Handler, Handlers, Plugin, PluginRefused
from pybernetes.kubelet.plugins.messages import (
    SERVICE,
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from pybernetes.kubelet.root import Root

INFO_SECONDS = 1.0
NOTIFY_SECONDS = 5.0


class Registered:
    """A plugin that is registered, until it is taken back."""

    def __init__(self, handler: Handler, plugin: Plugin) -> None:
        self.handler, self.plugin = handler, plugin

    async def take_back(self) -> None:
        await self.handler.deregister(self.plugin)


async def register(socket: Path, handlers: Handlers, root: Root) -> Registered:
    """Raises PluginRefused, or GrpcError if it does not answer; it is not registered then."""
    channel = Channel(socket)
    try:
        info = await channel.call(f"{SERVICE}/GetInfo", InfoRequest(), PluginInfo, INFO_SECONDS)
        try:
            found = await _admit(info, socket, handlers, root)
        except PluginRefused as refused:
            await _notify(channel, str(refused))
            raise
        try:
            await _notify(channel, "")
        except (GrpcError, asyncio.CancelledError):
            await found.take_back()
            raise
        return found
    finally:
        channel.close()


async def _admit(info: PluginInfo, socket: Path, handlers: Handlers, root: Root) -> Registered:
    handler = handlers.get(info.type)
    if handler is None:
        raise PluginRefused(
            f"RegisterPlugin error -- no handler registered for plugin type: {info.type} at socket {socket}"
        )
    endpoint = root.here(info.endpoint) if info.endpoint else socket
    plugin = Plugin(info.name, endpoint, tuple(info.supported_versions), socket)
    try:
        handler.validate(plugin)
    except PluginRefused as error:
        raise PluginRefused(f"RegisterPlugin error -- plugin validation failed with err: {error}") from error
    try:
        await handler.register(plugin)
    except PluginRefused as error:
        raise PluginRefused(f"RegisterPlugin error -- plugin registration failed with err: {error}") from error
    return Registered(handler, plugin)


async def _notify(channel: Channel, error: str) -> None:
    status = RegistrationStatus(plugin_registered=not error, error=error)
    await channel.call(f"{SERVICE}/NotifyRegistrationStatus", status, RegistrationStatusResponse, NOTIFY_SECONDS)
