"""pluginregistration.v1: what a plugin says of itself, and is told."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from pybernetes.wire.message import Message

SERVICE = "/pluginregistration.Registration"


class InfoRequest(Message, frozen=True):
    pass


class PluginInfo(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("type", str), 2: ("name", str), 3: ("endpoint", str), 4: ("supported_versions", [str]),
    }  # fmt: skip
    type: str = ""
    name: str = ""
    endpoint: str = ""
    supported_versions: list[str] = msgspec.field(default_factory=list)


class RegistrationStatus(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("plugin_registered", bool), 2: ("error", str)}
    plugin_registered: bool = False
    error: str = ""


class RegistrationStatusResponse(Message, frozen=True):
    pass
