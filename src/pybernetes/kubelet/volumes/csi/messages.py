"""csi.v1, as far as a node speaks it."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from pybernetes.wire.message import Message

NODE = "/csi.v1.Node"
Fields = dict[int, tuple[str, Any]]
_MAP = {str: str}


class Empty(Message, frozen=True):
    """A request, or an answer, without content."""


class MountVolume(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("fs_type", str), 2: ("mount_flags", [str]), 3: ("volume_mount_group", str)}
    fs_type: str = ""
    mount_flags: list[str] = field(default_factory=list)
    volume_mount_group: str = ""


class AccessMode(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("mode", int)}
    mode: int = 0


class VolumeCapability(Message, frozen=True):
    """`block` or `mount`."""

    FIELDS: ClassVar[Fields] = {1: ("block", Empty), 2: ("mount", MountVolume), 3: ("access_mode", AccessMode)}
    block: Empty | None = None
    mount: MountVolume | None = None
    access_mode: AccessMode | None = None


class StageRequest(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {
        1: ("volume_id", str), 2: ("publish_context", _MAP), 3: ("staging_target_path", str),
        4: ("volume_capability", VolumeCapability), 5: ("secrets", _MAP), 6: ("volume_context", _MAP),
    }  # fmt: skip
    volume_id: str = ""
    publish_context: dict[str, str] = field(default_factory=dict)
    staging_target_path: str = ""
    volume_capability: VolumeCapability | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    volume_context: dict[str, str] = field(default_factory=dict)


class UnstageRequest(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("volume_id", str), 2: ("staging_target_path", str)}
    volume_id: str = ""
    staging_target_path: str = ""


class PublishRequest(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {
        1: ("volume_id", str), 2: ("publish_context", _MAP), 3: ("staging_target_path", str), 4: ("target_path", str),
        5: ("volume_capability", VolumeCapability), 6: ("readonly", bool), 7: ("secrets", _MAP),
        8: ("volume_context", _MAP),
    }  # fmt: skip
    volume_id: str = ""
    publish_context: dict[str, str] = field(default_factory=dict)
    staging_target_path: str = ""
    target_path: str = ""
    volume_capability: VolumeCapability | None = None
    readonly: bool = False
    secrets: dict[str, str] = field(default_factory=dict)
    volume_context: dict[str, str] = field(default_factory=dict)


class UnpublishRequest(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("volume_id", str), 2: ("target_path", str)}
    volume_id: str = ""
    target_path: str = ""


class StatsRequest(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("volume_id", str), 2: ("volume_path", str), 3: ("staging_target_path", str)}
    volume_id: str = ""
    volume_path: str = ""
    staging_target_path: str = ""


class VolumeUsage(Message, frozen=True):
    """`unit`: 1 for bytes, 2 for inodes."""

    FIELDS: ClassVar[Fields] = {1: ("available", int), 2: ("total", int), 3: ("used", int), 4: ("unit", int)}
    available: int = 0
    total: int = 0
    used: int = 0
    unit: int = 0


class StatsResponse(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("usage", [VolumeUsage])}
    usage: list[VolumeUsage] = field(default_factory=list)


class CapacityRange(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("required_bytes", int), 2: ("limit_bytes", int)}
    required_bytes: int = 0
    limit_bytes: int = 0


class ExpandRequest(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {
        1: ("volume_id", str), 2: ("volume_path", str), 3: ("capacity_range", CapacityRange),
        4: ("staging_target_path", str), 5: ("volume_capability", VolumeCapability), 6: ("secrets", _MAP),
    }  # fmt: skip
    volume_id: str = ""
    volume_path: str = ""
    capacity_range: CapacityRange | None = None
    staging_target_path: str = ""
    volume_capability: VolumeCapability | None = None
    secrets: dict[str, str] = field(default_factory=dict)


class ExpandResponse(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("capacity_bytes", int)}
    capacity_bytes: int = 0


class RpcCapability(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("type", int)}
    type: int = 0


class NodeServiceCapability(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("rpc", RpcCapability)}
    rpc: RpcCapability | None = None


class CapabilitiesResponse(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("capabilities", [NodeServiceCapability])}
    capabilities: list[NodeServiceCapability] = field(default_factory=list)


class Topology(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {1: ("segments", _MAP)}
    segments: dict[str, str] = field(default_factory=dict)


class NodeInfo(Message, frozen=True):
    FIELDS: ClassVar[Fields] = {
        1: ("node_id", str), 2: ("max_volumes_per_node", int), 3: ("accessible_topology", Topology),
    }  # fmt: skip
    node_id: str = ""
    max_volumes_per_node: int = 0
    accessible_topology: Topology | None = None
