"""v1.DRAPlugin (v1beta1 has the same messages) and v1alpha1.DRAResourceHealth."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from pybernetes.wire.message import Message


class Claim(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("namespace", str), 2: ("uid", str), 3: ("name", str)}
    namespace: str = ""
    uid: str = ""
    name: str = ""


class ClaimsRequest(Message, frozen=True):
    """NodePrepareResourcesRequest and NodeUnprepareResourcesRequest."""

    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("claims", [Claim])}
    claims: list[Claim] = field(default_factory=list)


class Device(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("request_names", [str]), 2: ("pool_name", str), 3: ("device_name", str), 4: ("cdi_device_ids", [str]),
        5: ("share_id", str),
    }  # fmt: skip
    request_names: list[str] = field(default_factory=list)
    pool_name: str = ""
    device_name: str = ""
    cdi_device_ids: list[str] = field(default_factory=list)
    share_id: str = ""


class PreparedClaim(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("devices", [Device]), 2: ("error", str)}
    devices: list[Device] = field(default_factory=list)
    error: str = ""


class NodePrepareResourcesResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("claims", {str: PreparedClaim})}
    claims: dict[str, PreparedClaim] = field(default_factory=dict)


class UnpreparedClaim(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("error", str)}
    error: str = ""


class NodeUnprepareResourcesResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("claims", {str: UnpreparedClaim})}
    claims: dict[str, UnpreparedClaim] = field(default_factory=dict)


class NodeWatchResourcesRequest(Message, frozen=True):
    pass


class DeviceIdentifier(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("pool_name", str), 2: ("device_name", str)}
    pool_name: str = ""
    device_name: str = ""


class DeviceHealth(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("device", DeviceIdentifier), 2: ("health", int), 3: ("last_updated_time", int),
        4: ("health_check_timeout_seconds", int), 5: ("message", str),
    }  # fmt: skip
    device: DeviceIdentifier | None = None
    health: int = 0
    """0: unknown, 1: healthy, 2: unhealthy."""
    last_updated_time: int = 0
    health_check_timeout_seconds: int = 0
    message: str = ""


class NodeWatchResourcesResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("devices", [DeviceHealth])}
    devices: list[DeviceHealth] = field(default_factory=list)
