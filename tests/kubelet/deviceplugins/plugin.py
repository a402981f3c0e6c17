"""A device plugin for tests: v1beta1.DevicePlugin on our own server."""

import asyncio

from pybernetes.aio.grpc.client import Channel
from pybernetes.aio.grpc.errors import Code, GrpcError
from pybernetes.aio.grpc.listening import listening
from pybernetes.aio.grpc.server import Streaming, Unary
from pybernetes.kubelet.deviceplugins import messages as m


class FakePlugin:
    """`lists` are told in turn; `allocated` and `started` have what was asked for."""

    def __init__(self, directory, name="example.com/gpu", **options):
        self.directory, self.name = directory, name
        self.socket = f"{name.partition('/')[2]}.sock"
        self.options = m.DevicePluginOptions(**options)
        self.lists: asyncio.Queue[m.ListAndWatchResponse] = asyncio.Queue()
        self.allocated, self.started, self.preferred, self.error = [], [], [], ""

    def tell(self, **devices):
        """Device -> Healthy or Unhealthy."""
        found = [m.Device(id=name, health=health) for name, health in devices.items()]
        self.lists.put_nowait(m.ListAndWatchResponse(devices=found))

    def serve(self):
        return listening(self.directory / self.socket, self.methods)

    async def register(self, version=m.VERSION, name=None):
        channel = Channel(self.directory / "kubelet.sock")
        try:
            request = m.RegisterRequest(version=version, endpoint=self.socket, resource_name=name or self.name)
            await channel.call(m.REGISTER, request, m.Empty, 30)
        finally:
            channel.close()

    def methods(self):
        return {
            f"{m.PLUGIN}/GetDevicePluginOptions": Unary(m.Empty, self._options),
            f"{m.PLUGIN}/ListAndWatch": Streaming(m.Empty, self._list),
            f"{m.PLUGIN}/Allocate": Unary(m.AllocateRequest, self._allocate),
            f"{m.PLUGIN}/GetPreferredAllocation": Unary(m.PreferredAllocationRequest, self._prefer),
            f"{m.PLUGIN}/PreStartContainer": Unary(m.PreStartContainerRequest, self._pre_start),
        }

    async def _options(self, request):
        return self.options

    async def _list(self, request):
        while True:
            yield await self.lists.get()

    async def _allocate(self, request):
        if self.error:
            raise GrpcError(Code.UNKNOWN, self.error)
        devices = request.container_requests[0].devices_ids
        self.allocated.append(devices)
        answer = m.ContainerAllocateResponse(
            envs={"DEVICES": ",".join(devices)},
            mounts=[
                m.Mount(container_path="/plugin", host_path="/var/lib/kubelet/device-plugins", read_only=True),
                m.Mount(container_path="/made", host_path="/var/lib/kubelet/device-plugins/made"),
            ],
            devices=[
                m.DeviceSpec(container_path=f"/dev/{d}", host_path="/dev/null", permissions="rw") for d in devices
            ],
            annotations={"example.com/devices": "some"},
            cdi_devices=[m.CDIDevice(name=f"example.com/gpu={device}") for device in devices],
        )
        return m.AllocateResponse(container_responses=[answer])

    async def _prefer(self, request):
        asked = request.container_requests[0]
        self.preferred.append((asked.available_device_ids, asked.must_include_device_ids, asked.allocation_size))
        best = sorted(asked.available_device_ids, reverse=True)[: asked.allocation_size]
        answer = m.ContainerPreferredAllocationResponse(device_ids=best)
        return m.PreferredAllocationResponse(container_responses=[answer])

    async def _pre_start(self, request):
        self.started.append(request.devices_ids)
        return m.Empty()
