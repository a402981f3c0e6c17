"""Gives devices to containers: before a pod's sandbox is made, or the pod does not run here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from pybernetes.aio.locks import Locks
from pybernetes.aio.threads import Worker
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.deviceplugins import choosing
from pybernetes.kubelet.deviceplugins.errors import DeviceError
from pybernetes.kubelet.deviceplugins.resources import Resources
from pybernetes.kubelet.deviceplugins.state import Allocation, read_allocations
from pybernetes.kubelet.keeping import KeptFile
from pybernetes.kubelet.podspec import AnyContainer, uid_of
from pybernetes.kubelet.root import Root

if TYPE_CHECKING:
    from pybernetes.kubelet.deviceplugins.messages import ContainerAllocateResponse

log = logging.getLogger(__name__)


class Granted(Struct, frozen=True):
    """What a container gets of its devices."""

    variables: dict[str, str] = field(default_factory=dict)
    mounts: list[t.Mount] = field(default_factory=list)
    devices: list[t.Device] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    cdi_names: list[str] = field(default_factory=list)


class Allocator:
    """`active` has the UIDs of pods that still take something of the node: of others, devices are free again."""

    def __init__(
        self, root: Root, resources: Resources, active: Callable[[], Collection[str]], threads: Worker
    ) -> None:
        self._root, self._resources, self._active = root, resources, active
        self._file = KeptFile(root.own / "device_plugins.json", threads)
        self._state = read_allocations(self._file.path)
        self._locks: Locks[str] = Locks()
        resources.restore(self._state.resources)

    def users_of(self, resource: str, devices: Collection[str]) -> set[str]:
        """UIDs of the pods that have some of the devices."""
        wanted = set(devices)
        found = (each for each in self._state.allocations if each.resource == resource)
        return {each.pod for each in found if wanted.intersection(each.devices)}

    def allocations(self, pod_uid: str, container: str) -> list[Allocation]:
        return self._state.of(pod_uid, container)

    async def allocate(self, pod: v1.Pod) -> None:
        """Give every container its devices. Safe to repeat. Raises DeviceError: then the pod has none."""
        containers = [*pod.spec.init_containers, *pod.spec.containers]
        asked = {name for each in containers for name, _ in self._asked(pod, each)}
        if not asked:
            return
        async with self._locks.holding(asked):  # a plugin that does not answer holds up nobody but its own
            self._free_those_of_others(pod)
            before = self._state.of(uid_of(pod))
            try:
                await self._allocate(pod)
                await self.save()
            except BaseException:
                others = [each for each in self._state.allocations if each.pod != uid_of(pod)]
                self._state.allocations = [*others, *before]
                raise

    def _asked(self, pod: v1.Pod, container: v1.Container) -> list[tuple[str, int]]:
        """Of plugins' resources only: others may be the cluster's own, which nobody hands out."""
        known = {*self._resources.names(), *(each.resource for each in self._state.allocations)}
        return [(name, number) for name, number in choosing.wanted(pod, container) if name in known]

    def _free_those_of_others(self, pod: v1.Pod) -> None:
        active = {*self._active(), uid_of(pod)}
        self._state.allocations = [each for each in self._state.allocations if each.pod in active]

    async def _allocate(self, pod: v1.Pod) -> None:
        """Init containers have ended before others start, which may have their devices after them."""
        reusable: dict[str, list[str]] = {}
        for container in pod.spec.init_containers:
            for resource, devices in (await self._allocate_to(pod, container, reusable)).items():
                kept = reusable.setdefault(resource, [])
                if container.restart_policy == "Always":
                    reusable[resource] = [device for device in kept if device not in devices]
                else:
                    kept += [device for device in devices if device not in kept]
        for container in pod.spec.containers:
            for resource, devices in (await self._allocate_to(pod, container, reusable)).items():
                reusable[resource] = [each for each in reusable.get(resource, []) if each not in devices]

    async def _allocate_to(
        self, pod: v1.Pod, container: v1.Container, reusable: dict[str, list[str]]
    ) -> dict[str, list[str]]:
        found = {}
        for name, number in self._asked(pod, container):
            known = self._state.of(uid_of(pod), container.name, name)
            if known:
                found[name] = known[0].devices
                continue
            found[name] = await self._choose(name, number, reusable.get(name, []))
            resource = self._resources.get(name)
            if resource is None or resource.plugin is None:
                raise DeviceError(f"unknown Device Plugin {name}")
            answer = await resource.plugin.allocate(found[name])
            made = Allocation(uid_of(pod), container.name, name, found[name], answer.encode())
            self._state.allocations.append(made)
        return found

    async def _choose(self, name: str, number: int, reusable: list[str]) -> list[str]:
        resource = choosing.check(name, self._resources.get(name))
        first = reusable[:number]
        if len(first) == number:
            return first
        taken = self._state.taken(name)
        free = choosing.available(name, resource, taken, number - len(first))
        preferred = await resource.plugin.prefer([*free, *first], first, number) if resource.plugin else []
        return [*first, *choosing.choose(free, preferred, number - len(first))]

    async def save(self) -> None:
        """Raises DeviceError."""
        self._state.resources = self._resources.names()
        try:
            await self._file.save(lambda: msgspec.json.encode(self._state))
        except OSError as error:
            raise DeviceError(f"failed to write checkpoint file: {error}") from error

    async def granted(self, pod: v1.Pod, container: AnyContainer) -> Granted:
        """What the container gets; plugins that want to know of its start are told. Raises DeviceError."""
        from pybernetes.kubelet.deviceplugins.messages import ContainerAllocateResponse

        granted = Granted()
        for each in self._state.of(uid_of(pod), container.name):
            resource = self._resources.get(each.resource)
            if resource is not None and resource.plugin is not None:
                await resource.plugin.pre_start(each.devices)
            self._add(granted, ContainerAllocateResponse.decode(each.response))
        return granted

    def _add(self, granted: Granted, answer: ContainerAllocateResponse) -> None:
        """Of two that say something of the same the first counts."""
        for name, value in answer.envs.items():
            granted.variables.setdefault(name, value)
        for name, value in answer.annotations.items():
            granted.annotations.setdefault(name, value)
        paths = {mount.container_path for mount in granted.mounts}
        granted.mounts.extend(
            t.Mount(
                container_path=mount.container_path,
                host_path=str(self._root.here(mount.host_path)),
                readonly=mount.read_only,
            )
            for mount in answer.mounts
            if mount.container_path not in paths
        )
        nodes = {device.container_path for device in granted.devices}
        granted.devices.extend(
            t.Device(
                container_path=device.container_path,
                host_path=str(self._root.here(device.host_path)),
                permissions=device.permissions,
            )
            for device in answer.devices
            if device.container_path not in nodes
        )
        granted.cdi_names.extend(each.name for each in answer.cdi_devices if each.name not in granted.cdi_names)

    def statuses(self, pod: v1.Pod, container: AnyContainer) -> list[v1.ResourceStatus]:
        """`allocatedResourcesStatus` of the container's devices; of one that nobody knows of nothing bad is said."""
        return [
            v1.ResourceStatus(
                name=each.resource,
                resources=[
                    v1.ResourceHealth(resource_id=d, health=self._health(each.resource, d)) for d in each.devices
                ],
            )
            for each in self._state.of(uid_of(pod), container.name)
        ]

    def _health(self, resource: str, device: str) -> str:
        known = self._resources.get(resource)
        found = known.devices.get(device) if known else None
        return "Unhealthy" if found is not None and not found.healthy else "Healthy"
