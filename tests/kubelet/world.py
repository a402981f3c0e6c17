"""A node in memory: kubelet workers over fakes, with a clock that a test moves."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.aio.threads import Worker
from pybernetes.api.errors import not_found
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import resource_v1
from pybernetes.kubelet.containers.dns import DnsSettings, Resolver
from pybernetes.kubelet.containers.sandbox import NodeSettings
from pybernetes.kubelet.counted import Counted
from pybernetes.kubelet.deviceplugins.allocator import Allocator
from pybernetes.kubelet.deviceplugins.resources import Resources
from pybernetes.kubelet.dra.claims import Claims
from pybernetes.kubelet.dra.drivers import Drivers
from pybernetes.kubelet.dra.health import Health
from pybernetes.kubelet.dra.state import ClaimStore
from pybernetes.kubelet.events import Events
from pybernetes.kubelet.images.manager import ImageManager
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.probes.actions import Actions
from pybernetes.kubelet.root import Root
from pybernetes.kubelet.volumes.context import Token, VolumeDoors
from pybernetes.kubelet.volumes.files import VolumeError

from .fake_runtime import FakeRuntime
from .fakes import FakeApi, FakeObjects, FakeRecorder


class InlineWorker(Worker):
    """Runs calls at once, so that a test has no threads to wait for."""

    def __init__(self) -> None:
        return None

    async def run(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)


class FakeTokens:
    """Tokens that say how often they were made."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.made = clock, 0

    async def request(self, pod: v1.Pod, audience: str, seconds: int) -> Token:
        from datetime import timedelta

        self.made += 1
        return Token(f"token{self.made}", self.clock.now() + timedelta(seconds=seconds))

    async def volume_of(self, namespace: str, claim: str) -> v1.PersistentVolume:
        raise VolumeError(f"no claim {claim}")


@dataclass
class World:
    """Everything a test looks at or changes."""

    root: Path
    scope: Scope
    clock: FakeClock = field(default_factory=FakeClock)
    api: FakeApi = field(default_factory=FakeApi)
    objects: FakeObjects = field(default_factory=FakeObjects)
    recorder: FakeRecorder = field(default_factory=FakeRecorder)
    node: v1.Node = field(default_factory=v1.Node)
    services: list[v1.Service] = field(default_factory=list)
    cri: tuple[Any, Any] | None = None
    """A real runtime and its images, instead of the one in memory."""
    cgroup: str = "/"
    claims: dict[str, resource_v1.ResourceClaim] = field(default_factory=dict)
    wiped: list[str] = field(default_factory=list)
    """Drivers whose ResourceSlices were deleted."""

    def __post_init__(self) -> None:
        self.counted = Counted()
        self.runtime = FakeRuntime(self.clock)
        self.tokens = FakeTokens(self.clock)
        self.restart_kubelet(self.scope)

    def restart_kubelet(self, scope: Scope) -> None:
        """A new kubelet over the same runtime and API."""
        events, threads = Events(self.recorder, "n1"), InlineWorker()
        runtime, images = self.cri or (self.runtime, self.runtime)
        doors = PodDoors(
            runtime=runtime,
            runtime_name="fake",
            images=ImageManager(images, self.objects, events, self.clock),
            objects=self.objects,
            volumes=VolumeDoors(self.objects, self.tokens, self.tokens, self.clock, threads, {"cpu": "2"}),
            claims=self._claims(scope, threads),
            devices=self._devices(threads),
            actions=Actions(runtime, self.clock),
            events=events,
            api=self.api,
            clock=self.clock,
            threads=threads,
            settings=NodeSettings(
                "n1", self.cgroup, self.root / "logs", DnsSettings(["10.96.0.10"], "cluster.local", Resolver())
            ),
            root=self.root,
            host_ips=("192.0.2.1",),
            memory_capacity=2**30,
            allocatable={"cpu": "2", "memory": "1Gi"},
            services=lambda: self.services,
            runtime_handler=lambda name: name,
            room=lambda pod: self.kubelet.room(pod),
            restart_limit=300.0,
            counted=self.counted,
        )
        self.kubelet = Kubelet(doors, scope, lambda: self.node)
        scope.spawn(self.kubelet.follow_runtime(), "runtime events")

    def _devices(self, threads: InlineWorker) -> Allocator:
        """Devices of plugins, with none but those that a test registers in `self.resources`."""

        def changed(resource: str, devices: Any) -> None:
            self.kubelet.devices_changed(self.allocator.users_of(resource, devices))

        def active() -> list[str]:
            return [worker.pod.metadata.uid or "" for worker in self.kubelet.active()]

        self.resources = Resources(self.clock, changed)
        self.allocator = Allocator(Root(self.root), self.resources, active, threads)
        return self.allocator

    def _claims(self, scope: Scope, threads: InlineWorker) -> Claims:
        """Claims of devices, with no driver but those that a test registers; `self.claims` has the objects."""
        store = ClaimStore(self.root / "dra_claims.json", threads)
        store.load()
        health = Health(self.clock, lambda *device: self.kubelet.devices_changed(self.doors_claims.users_of(*device)))

        async def get(name: str, namespace: str) -> resource_v1.ResourceClaim:
            if name not in self.claims:
                raise not_found("resource.k8s.io", "resourceclaims", name)
            return self.claims[name]

        async def wipe(driver: str) -> None:
            self.wiped.append(driver)

        self.drivers = Drivers(scope, self.clock, health, wipe, lambda: self.kubelet.retry_claims())
        self.doors_claims = Claims(store, self.drivers, health, get)
        return self.doors_claims

    async def apply(self, pod: v1.Pod) -> None:
        """The API has this pod now; the kubelet hears of it."""
        old = self.api.pods.get(pod.metadata.name or "")
        self.kubelet.pod_changed(old, self.api.put(pod))
        await self.settle()

    async def refresh(self, name: str, **changes: Any) -> None:
        """Change metadata of the pod as the API has it."""
        pod = self.api.pods[name]
        await self.apply(msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, **changes)))

    async def delete(self, name: str, grace: int = 30) -> None:
        """As `kubectl delete` does."""
        await self.refresh(name, deletion_timestamp="2026-01-01T00:00:00Z", deletion_grace_period_seconds=grace)

    async def vanish(self, pod: v1.Pod) -> None:
        """The API object is gone."""
        self.api.pods.pop(pod.metadata.name or "", None)
        self.kubelet.pod_changed(pod, None)
        await self.settle()

    async def settle(self) -> None:
        """Let everything that can run now run; over a real runtime there is no telling, so nothing is done."""
        if self.cri is None:
            for _ in range(5):
                await self.clock.settle(50)

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await self.settle()

    def status(self, name: str = "p") -> v1.PodStatus:
        return self.api.pods[name].status

    def container(self, name: str = "c", pod: str = "p") -> v1.ContainerStatus:
        status = self.status(pod)
        statuses = [*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses]
        return next(found for found in statuses if found.name == name)

    def conditions(self, name: str = "p") -> dict[str, str | None]:
        return {condition.type: condition.status for condition in self.status(name).conditions}


@contextlib.asynccontextmanager
async def open_world(root: Path) -> AsyncIterator[World]:
    async with open_scope("test") as scope:
        yield World(root, scope)


def a_pod(name: str = "p", **spec: Any) -> v1.Pod:
    """A pod as the API server would store it; `spec` in snake case over one container `c`."""
    spec.setdefault("containers", [a_container()])
    return v1.Pod(
        metadata=v1.meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", generation=1),
        spec=v1.PodSpec(node_name="n1", restart_policy=spec.pop("restart_policy", "Always"), **spec),
        status=v1.PodStatus(phase="Pending", qos_class="BestEffort"),
    )


def a_container(name: str = "c", **fields: Any) -> v1.Container:
    return v1.Container(name=name, image=fields.pop("image", "web:1"), **fields)
