"""v1.PodResourcesLister: monitoring asks which container has which devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from msgspec import field

from pybernetes.aio.grpc.errors import Code, GrpcError
from pybernetes.aio.grpc.server import Methods, Unary
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.deviceplugins.allocator import Allocator
from pybernetes.kubelet.deviceplugins.messages import CDIDevice, NUMANode, TopologyInfo
from pybernetes.kubelet.deviceplugins.resources import Resources
from pybernetes.kubelet.dra.claims import Claims
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.podspec import name_of, namespace_of, uid_of
from pybernetes.wire.message import Message

SERVICE = "/v1.PodResourcesLister"


class Empty(Message, frozen=True):
    """ListPodResourcesRequest and AllocatableResourcesRequest."""


class ContainerDevices(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("resource_name", str),
        2: ("device_ids", [str]),
        3: ("topology", TopologyInfo),
    }
    resource_name: str = ""
    device_ids: list[str] = field(default_factory=list)
    topology: TopologyInfo | None = None


class ClaimResource(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("cdi_devices", [CDIDevice]), 2: ("driver_name", str), 3: ("pool_name", str), 4: ("device_name", str),
        5: ("share_id", str),
    }  # fmt: skip
    cdi_devices: list[CDIDevice] = field(default_factory=list)
    driver_name: str = ""
    pool_name: str = ""
    device_name: str = ""
    share_id: str = ""


class DynamicResource(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        2: ("claim_name", str),
        3: ("claim_namespace", str),
        4: ("claim_resources", [ClaimResource]),
    }
    claim_name: str = ""
    claim_namespace: str = ""
    claim_resources: list[ClaimResource] = field(default_factory=list)


class ContainerResources(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("name", str),
        2: ("devices", [ContainerDevices]),
        5: ("dynamic_resources", [DynamicResource]),
    }
    name: str = ""
    devices: list[ContainerDevices] = field(default_factory=list)
    dynamic_resources: list[DynamicResource] = field(default_factory=list)


class PodResources(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {
        1: ("name", str),
        2: ("namespace", str),
        3: ("containers", [ContainerResources]),
    }
    name: str = ""
    namespace: str = ""
    containers: list[ContainerResources] = field(default_factory=list)


class ListPodResourcesResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("pod_resources", [PodResources])}
    pod_resources: list[PodResources] = field(default_factory=list)


class AllocatableResourcesResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("devices", [ContainerDevices])}
    devices: list[ContainerDevices] = field(default_factory=list)


class GetPodResourcesRequest(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("pod_name", str), 2: ("pod_namespace", str)}
    pod_name: str = ""
    pod_namespace: str = ""


class GetPodResourcesResponse(Message, frozen=True):
    FIELDS: ClassVar[dict[int, tuple[str, Any]]] = {1: ("pod_resources", PodResources)}
    pod_resources: PodResources | None = None


class PodResourcesService:
    """Processors and memory are nobody's own here (upstream's policy `none`), so nothing is told of them."""

    def __init__(
        self, pods: Callable[[], Iterable[v1.Pod]], resources: Resources, allocator: Allocator, claims: Claims
    ) -> None:
        self._pods, self._resources, self._allocator, self._claims = pods, resources, allocator, claims

    def methods(self) -> Methods:
        return {
            f"{SERVICE}/List": Unary(Empty, self._list),
            f"{SERVICE}/GetAllocatableResources": Unary(Empty, self._allocatable),
            f"{SERVICE}/Get": Unary(GetPodResourcesRequest, self._get),
        }

    async def _list(self, request: Empty) -> ListPodResourcesResponse:
        return ListPodResourcesResponse(pod_resources=[self._of_pod(pod) for pod in self._pods()])

    async def _get(self, request: GetPodResourcesRequest) -> GetPodResourcesResponse:
        for pod in self._pods():
            if (name_of(pod), namespace_of(pod)) == (request.pod_name, request.pod_namespace):
                return GetPodResourcesResponse(pod_resources=self._of_pod(pod))
        raise GrpcError(Code.UNKNOWN, f"pod {request.pod_name} in namespace {request.pod_namespace} not found")

    async def _allocatable(self, request: Empty) -> AllocatableResourcesResponse:
        found = [
            self._device(name, device)
            for name in self._resources.names()
            if (resource := self._resources.get(name)) is not None
            for device in resource.healthy()
        ]
        return AllocatableResourcesResponse(devices=found)

    def _of_pod(self, pod: v1.Pod) -> PodResources:
        sidecars = [each for each in pod.spec.init_containers if each.restart_policy == "Always"]
        return PodResources(
            name=name_of(pod),
            namespace=namespace_of(pod),
            containers=[self._of_container(pod, each) for each in [*sidecars, *pod.spec.containers]],
        )

    def _of_container(self, pod: v1.Pod, container: v1.Container) -> ContainerResources:
        devices = [
            self._device(allocation.resource, device)
            for allocation in self._allocator.allocations(uid_of(pod), container.name)
            for device in allocation.devices
        ]
        return ContainerResources(
            name=container.name, devices=devices, dynamic_resources=list(self._of_claims(pod, container))
        )

    def _of_claims(self, pod: v1.Pod, container: v1.Container) -> Iterator[DynamicResource]:
        try:
            for _, request, record in self._claims.of_container(pod, container):
                resources = [
                    ClaimResource(
                        cdi_devices=[CDIDevice(name=name) for name in device.cdi],
                        driver_name=driver,
                        pool_name=device.pool,
                        device_name=device.name,
                        share_id=device.share,
                    )
                    for driver, device in record.devices(request)
                ]
                yield DynamicResource(
                    claim_name=record.name, claim_namespace=record.namespace, claim_resources=resources
                )
        except ClaimError:
            return  # not prepared yet

    def _device(self, name: str, device: str) -> ContainerDevices:
        resource = self._resources.get(name)
        known = resource.devices.get(device) if resource else None
        nodes = [NUMANode(id=number) for number in known.numa] if known else []
        return ContainerDevices(
            resource_name=name, device_ids=[device], topology=TopologyInfo(nodes=nodes) if nodes else None
        )
