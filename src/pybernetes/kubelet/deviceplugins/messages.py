"""v1beta1.Registration and v1beta1.DevicePlugin."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from msgspec import field

from pybernetes.wire.message import Message

VERSION: Final = "v1beta1"
HEALTHY: Final = "Healthy"
REGISTER: Final = "/v1beta1.Registration/Register"
PLUGIN: Final = "/v1beta1.DevicePlugin"


class Empty(Message, frozen=True):
    pass


class DevicePluginOptions(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("pre_start_required", bool),
        2: ("get_preferred_allocation_available", bool),
    }
    pre_start_required: bool = False
    get_preferred_allocation_available: bool = False


class RegisterRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("version", str), 2: ("endpoint", str), 3: ("resource_name", str), 4: ("options", DevicePluginOptions),
    }  # fmt: skip
    version: str = ""
    endpoint: str = ""
    """The name of its socket in the directory of kubelet.sock."""
    resource_name: str = ""
    options: DevicePluginOptions | None = None


class NUMANode(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("id", int)}
    id: int = 0


class TopologyInfo(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("nodes", [NUMANode])}
    nodes: list[NUMANode] = field(default_factory=list)


class Device(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("id", str), 2: ("health", str), 3: ("topology", TopologyInfo)}
    id: str = ""
    health: str = ""
    topology: TopologyInfo | None = None


class ListAndWatchResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("devices", [Device])}
    devices: list[Device] = field(default_factory=list)


class PreStartContainerRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("devices_ids", [str])}
    devices_ids: list[str] = field(default_factory=list)


class ContainerPreferredAllocationRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("available_device_ids", [str]), 2: ("must_include_device_ids", [str]), 3: ("allocation_size", int),
    }  # fmt: skip
    available_device_ids: list[str] = field(default_factory=list)
    must_include_device_ids: list[str] = field(default_factory=list)
    allocation_size: int = 0


class PreferredAllocationRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("container_requests", [ContainerPreferredAllocationRequest])}
    container_requests: list[ContainerPreferredAllocationRequest] = field(default_factory=list)


class ContainerPreferredAllocationResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("device_ids", [str])}
    device_ids: list[str] = field(default_factory=list)


class PreferredAllocationResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("container_responses", [ContainerPreferredAllocationResponse])}
    container_responses: list[ContainerPreferredAllocationResponse] = field(default_factory=list)


class ContainerAllocateRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("devices_ids", [str])}
    devices_ids: list[str] = field(default_factory=list)


class AllocateRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("container_requests", [ContainerAllocateRequest])}
    container_requests: list[ContainerAllocateRequest] = field(default_factory=list)


class Mount(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("container_path", str),
        2: ("host_path", str),
        3: ("read_only", bool),
    }
    container_path: str = ""
    host_path: str = ""
    read_only: bool = False


class DeviceSpec(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("container_path", str),
        2: ("host_path", str),
        3: ("permissions", str),
    }
    container_path: str = ""
    host_path: str = ""
    permissions: str = ""


class CDIDevice(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("name", str)}
    name: str = ""


class ContainerAllocateResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("envs", {str: str}), 2: ("mounts", [Mount]), 3: ("devices", [DeviceSpec]), 4: ("annotations", {str: str}),
        5: ("cdi_devices", [CDIDevice]),
    }  # fmt: skip
    envs: dict[str, str] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)
    devices: list[DeviceSpec] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    cdi_devices: list[CDIDevice] = field(default_factory=list)


class AllocateResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("container_responses", [ContainerAllocateResponse])}
    container_responses: list[ContainerAllocateResponse] = field(default_factory=list)
