"""A CSI driver for tests, on a real socket: its volumes are directories, which it binds where it is told to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pybernetes.aio.grpc.errors import Code, GrpcError
from pybernetes.aio.grpc.listening import listening
from pybernetes.aio.grpc.server import Unary
from pybernetes.kubelet.plugins import messages as registration
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes.csi import messages as m

ALL = (1, 2, 3, 5)
"""STAGE_UNSTAGE_VOLUME, GET_VOLUME_STATS, EXPAND_VOLUME, SINGLE_NODE_MULTI_WRITER"""


class Driver:
    """`calls` are (method, request) in order; `failures` are answers that methods give instead, each once."""

    def __init__(self, root: Root, data: Path, name: str = "d.test", can: tuple[int, ...] = ALL) -> None:
        self.root, self.data, self.name, self.can = root, data, name, can
        self.info = m.NodeInfo(node_id="n1", max_volumes_per_node=3, accessible_topology=m.Topology(segments={"zone.test/zone": "a"}))  # fmt: skip
        self.calls: list[tuple[str, Any]] = []
        self.failures: dict[str, list[GrpcError]] = {}
        self.registered: list[registration.RegistrationStatus] = []

    def fail(self, method: str, code: Code, message: str = "by request") -> None:
        self.failures.setdefault(method, []).append(GrpcError(code, message))

    def named(self, method: str) -> list[Any]:
        """The requests of one method so far."""
        return [request for name, request in self.calls if name == method]

    def methods(self) -> dict[str, Unary]:
        kinds: dict[str, tuple[Any, Any]] = {
            "NodeGetInfo": (m.Empty, self._info),
            "NodeGetCapabilities": (m.Empty, self._capabilities),
            "NodeStageVolume": (m.StageRequest, self._stage),
            "NodeUnstageVolume": (m.UnstageRequest, self._unstage),
            "NodePublishVolume": (m.PublishRequest, self._publish),
            "NodeUnpublishVolume": (m.UnpublishRequest, self._unpublish),
            "NodeExpandVolume": (m.ExpandRequest, self._expand),
            "NodeGetVolumeStats": (m.StatsRequest, self._stats),
        }
        return {f"{m.NODE}/{name}": self._method(name, *kind) for name, kind in kinds.items()} | {
            f"{registration.SERVICE}/GetInfo": Unary(registration.InfoRequest, self._introduce),
            f"{registration.SERVICE}/NotifyRegistrationStatus": Unary(registration.RegistrationStatus, self._told),
        }

    def _method(self, name: str, kind: Any, handle: Any) -> Unary:
        async def called(request: Any) -> Any:
            self.calls.append((name, request))
            if waiting := self.failures.get(name):
                raise waiting.pop(0)
            return await handle(request)

        return Unary(kind, called)

    async def _info(self, request: Any) -> m.NodeInfo:
        return self.info

    async def _capabilities(self, request: Any) -> m.CapabilitiesResponse:
        listed = [m.NodeServiceCapability(rpc=m.RpcCapability(type=each)) for each in self.can]
        return m.CapabilitiesResponse(capabilities=listed)

    async def _stage(self, request: m.StageRequest) -> m.Empty:
        if not self.root.here(request.staging_target_path).is_dir():
            raise GrpcError(Code.FAILED_PRECONDITION, "no staging directory")
        return m.Empty()

    async def _unstage(self, request: m.UnstageRequest) -> m.Empty:
        return m.Empty()

    async def _publish(self, request: m.PublishRequest) -> m.Empty:
        target, volume = self.root.here(request.target_path), self.data / request.volume_id
        volume.mkdir(parents=True, exist_ok=True)
        (volume / "attributes").write_text(json.dumps(request.volume_context))
        target.mkdir(exist_ok=True)
        if not mounting.is_mount_point(target):
            mounting.mount(str(volume), str(target), flags=mounting.MS_BIND)
        return m.Empty()

    async def _unpublish(self, request: m.UnpublishRequest) -> m.Empty:
        target = self.root.here(request.target_path)
        if target.is_dir():
            mounting.unmount(str(target))
            target.rmdir()
        return m.Empty()

    async def _expand(self, request: m.ExpandRequest) -> m.ExpandResponse:
        return m.ExpandResponse(capacity_bytes=request.capacity_range.required_bytes if request.capacity_range else 0)

    async def _stats(self, request: m.StatsRequest) -> m.StatsResponse:
        return m.StatsResponse(usage=[m.VolumeUsage(available=70, total=100, used=30, unit=1), m.VolumeUsage(available=7, total=10, used=3, unit=2)])  # fmt: skip

    async def _introduce(self, request: Any) -> registration.PluginInfo:
        return registration.PluginInfo(type="CSIPlugin", name=self.name, supported_versions=["1.0.0"])

    async def _told(self, status: registration.RegistrationStatus) -> registration.RegistrationStatusResponse:
        self.registered.append(status)
        return registration.RegistrationStatusResponse()

    @asynccontextmanager
    async def serving(self, socket: Path) -> AsyncIterator[None]:
        """Node service and registration on one socket."""
        socket.parent.mkdir(parents=True, exist_ok=True)
        async with listening(socket, self.methods):
            yield
