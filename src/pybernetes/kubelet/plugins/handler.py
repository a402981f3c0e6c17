"""What registers: a plugin, and who handles plugins of its type."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

CSI_PLUGIN, DEVICE_PLUGIN, DRA_PLUGIN = "CSIPlugin", "DevicePlugin", "DRAPlugin"


class Plugin(Struct, frozen=True):
    """A plugin as it has introduced itself. `endpoint` is where its service is, `socket` where it registers."""

    name: str
    endpoint: Path
    versions: tuple[str, ...]
    socket: Path


class PluginRefused(Exception):
    """Why a plugin is not taken; it is told so, and asked again later."""


class Handler(Protocol):
    """Plugins of one type. `register` of a name that is known replaces the plugin that had it."""

    def validate(self, plugin: Plugin) -> None:
        """Raises PluginRefused."""
        ...

    async def register(self, plugin: Plugin) -> None:
        """Raises PluginRefused."""
        ...

    async def deregister(self, plugin: Plugin) -> None:
        """Its socket is gone, or is another one. Called once for each plugin that was registered."""
        ...


Handlers = Mapping[str, Handler]
"""By type: CSIPlugin, DevicePlugin, DRAPlugin."""
