"""The shell around decisions, against a real API server."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.apiservers import running_apiserver

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.api import errors
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types import storage_v1 as storage
from pybernetes.api.volumes import BIND_COMPLETED, SELECTED_NODE
from pybernetes.client.config import Config
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informer, Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client, connect
from pybernetes.scheduler import scheduler
from pybernetes.scheduler.bind import Binder
from pybernetes.scheduler.cycle import Decision
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.scheduler import Scheduler

from .test_volumes import volume
from .world import node, pod

WEB = {"matchLabels": {"app": "web"}}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with running_apiserver(tmp_path) as server:
        yield server.url


class Refusing(Binder, frozen=True):
    """Binds no pod called "refused", and tells so only once another was found to have no room."""

    other: asyncio.Event

    async def bind(self, pod: PodInfo, node: str) -> None:
        if pod.pod.metadata.name == "refused":
            await self.other.wait()
            raise errors.conflict("", "pods", "refused")
        await Binder.bind(self, pod, node)

    async def report_unschedulable(self, pod: PodInfo, message: str, nominated: str = "") -> None:
        await Binder.report_unschedulable(self, pod, message, nominated)
        self.other.set()


@dataclass(frozen=True)
class World:
    """One node of one core, and a scheduler."""

    client: Client
    pods: Informer[core.Pod]

    async def create(self, name: str, cpu: str = "1", **spec: Any) -> None:
        anywhere = [{"operator": "Exists"}]  # a new node is tainted until its kubelet reports
        await self.client.create(pod(name, cpu=cpu, tolerations=anywhere, **spec).pod)

    async def label(self, name: str, **labels: str) -> None:
        await self.client.patch(core.Pod, name, "default", {"metadata": {"labels": labels}}, PatchType.MERGE)

    async def resize(self, name: str, cpu: str) -> None:
        patch = {"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]}}
        await self.client.patch(core.Pod, name, "default", patch, PatchType.STRATEGIC, subresource="resize")

    async def nominate(self, name: str, node: str | None) -> None:
        patch = {"status": {"nominatedNodeName": node}}
        await self.client.patch(core.Pod, name, "default", patch, PatchType.STRATEGIC, subresource="status")

    async def wait(self, name: str, holds: Callable[[core.Pod], object]) -> None:
        async with asyncio.timeout(30):
            while not (found := self.pods.get(name, "default")) or not holds(found):
                await asyncio.sleep(0.01)


def is_refused(found: core.Pod) -> bool:
    return any(each.type == "PodScheduled" and each.status == "False" for each in found.status.conditions)


@asynccontextmanager
async def running(url: str, binder: Callable[[Client, EventRecorder, Clock], Binder] = Binder) -> AsyncIterator[World]:
    clock = SystemClock()
    async with connect(Config(servers=(url,)), user_agent="test") as client, open_scope("test") as scope:
        await client.create(core.ServiceAccount(metadata=meta.ObjectMeta(name="default", namespace="default")))
        await client.create(node("only", cpu="1"))
        informers = Informers(client)
        pods = informers.of(core.Pod)
        recorder = EventRecorder(client, "test", clock=clock)
        async with informers.running():
            scope.spawn(
                Scheduler(informers, binder(client, recorder, clock), clock, random.Random(0)).run(), "scheduler"
            )
            yield World(client, pods)


async def test_the_room_of_a_pod_that_cannot_be_bound_is_had_by_others(url: str) -> None:
    async with running(url, lambda *parts: Refusing(*parts, asyncio.Event())) as world:
        await world.create("refused")
        await world.create("other")
        await world.wait("other", lambda found: found.spec.node_name)


async def test_room_that_is_promised_no_longer_is_had_by_others(url: str) -> None:
    async with running(url) as world:
        await world.create("large", cpu="2")
        await world.wait("large", is_refused)
        await world.nominate("large", "only")
        await world.wait("large", lambda found: found.status.nominated_node_name)
        await world.create("small")
        await world.wait("small", is_refused)
        await world.nominate("large", None)
        await world.wait("small", lambda found: found.spec.node_name)


@dataclass
class Trouble:
    """Fails at the first call, with an error that nobody foresees."""

    calls: int = 0

    def strike(self) -> None:
        self.calls += 1
        if self.calls == 1:
            raise ZeroDivisionError


class Troubled(Binder, frozen=True):
    """Has the trouble in binding, or in telling why there is no node."""

    binding: Trouble
    telling: Trouble

    async def bind(self, pod: PodInfo, node: str) -> None:
        self.binding.strike()
        await Binder.bind(self, pod, node)

    async def report_unschedulable(self, pod: PodInfo, message: str, nominated: str = "") -> None:
        self.telling.strike()
        await Binder.report_unschedulable(self, pod, message, nominated)


async def test_an_error_that_nobody_foresees_costs_a_pod_one_try(url: str) -> None:
    async with running(url, lambda *parts: Troubled(*parts, Trouble(), Trouble())) as world:
        await world.create("small")
        await world.wait("small", lambda found: found.spec.node_name)
        await world.create("large", cpu="2")
        await world.wait("large", is_refused)


async def test_a_pod_that_cannot_be_judged_keeps_no_other_from_its_node(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = scheduler.decide

    def decide(pod: PodInfo, *world: Any) -> Decision:
        if pod.pod.metadata.name == "strange":
            raise ZeroDivisionError
        return judge(pod, *world)

    monkeypatch.setattr(scheduler, "decide", decide)
    async with running(url) as world:
        await world.create("strange")
        await world.create("plain")
        await world.wait("plain", lambda found: found.spec.node_name)


class Slow(Binder, frozen=True):
    """Binds once it is told to; the first time in vain."""

    asked: list[str]
    go: asyncio.Event

    async def bind(self, pod: PodInfo, node: str) -> None:
        self.asked.append(pod.pod.metadata.labels.get("version", ""))
        is_first = len(self.asked) == 1
        await self.go.wait()
        if is_first:
            raise errors.conflict("", "pods", "again")
        await Binder.bind(self, pod, node)


async def test_a_pod_that_changes_while_it_is_bound_is_not_placed_twice(url: str) -> None:
    asked: list[str] = []
    go = asyncio.Event()
    async with running(url, lambda *parts: Slow(*parts, asked, go)) as world:
        await world.create("changing", cpu="100m")
        async with asyncio.timeout(30):
            while not asked:
                await asyncio.sleep(0.01)
        await world.label("changing", version="2")
        await world.create("later", cpu="100m")
        async with asyncio.timeout(30):
            while len(asked) < 2:
                await asyncio.sleep(0.01)
        go.set()
        await world.wait("changing", lambda found: found.spec.node_name)
        assert asked == ["", "", "2"]  # the pod, the later one, and the pod again, as it is by then


async def test_a_pod_waits_for_others_to_get_labels_or_to_need_less(url: str) -> None:
    async with running(url) as world:
        await world.create("large", cpu="800m")
        await world.wait("large", lambda found: found.spec.node_name)
        await world.create("second", cpu="500m")
        near_web = {"topologyKey": "kubernetes.io/hostname", "labelSelector": WEB}
        await world.create("friend", cpu="100m", affinity={"podAffinity": {REQUIRED: [near_web]}})
        for name in ("second", "friend"):
            await world.wait(name, is_refused)
        await world.label("large", app="web")
        await world.wait("friend", lambda found: found.spec.node_name)
        await world.resize("large", cpu="100m")
        await world.wait("second", lambda found: found.spec.node_name)


async def test_a_pod_waits_for_nodes_to_go_that_unbalance_it(url: str) -> None:
    """While there is another node that takes nothing, the only one may have one pod more than that, and has it."""
    async with running(url) as world:
        await world.client.create(node("other", cpu="0"))
        constraint = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
        web = {"labels": {"app": "web"}, "topologySpreadConstraints": [constraint | {"labelSelector": WEB}]}
        await world.create("first", cpu="100m", **web)
        await world.wait("first", lambda found: found.spec.node_name)
        await world.create("second", cpu="100m", **web)
        await world.wait("second", is_refused)
        await world.client.delete(core.Node, "other")
        await world.wait("second", lambda found: found.spec.node_name)


async def create_claim(client: Client) -> dict[str, Any]:
    """One whose volume somebody makes where the pod is to run, who is played by the test; the pod's volumes."""
    await client.create(
        storage.StorageClass(
            metadata=meta.ObjectMeta(name="later"), provisioner="x/y", volume_binding_mode="WaitForFirstConsumer"
        )
    )
    claim = core.PersistentVolumeClaim(
        metadata=meta.ObjectMeta(name="data", namespace="default"),
        spec=core.PersistentVolumeClaimSpec(
            access_modes=["ReadWriteOnce"],
            storage_class_name="later",
            resources=core.VolumeResourceRequirements(requests={"storage": "1Gi"}),
        ),
    )
    await client.create(claim)
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}


async def wait_asked(client: Client) -> None:
    """Until the provisioner has been told the node."""
    async with asyncio.timeout(30):
        while (
            SELECTED_NODE not in (await client.get(core.PersistentVolumeClaim, "data", "default")).metadata.annotations
        ):
            await asyncio.sleep(0.01)


async def test_a_node_that_a_provisioner_cannot_serve_is_chosen_anew(url: str) -> None:
    async with running(url) as world:
        await world.create("user", cpu="1", **await create_claim(world.client))
        for _ in range(2):
            await wait_asked(world.client)
            given_up = {"metadata": {"annotations": {SELECTED_NODE: None}}}
            await world.client.patch(core.PersistentVolumeClaim, "data", "default", given_up, PatchType.MERGE)


async def test_a_pod_is_not_bound_where_its_volume_is_not(url: str) -> None:
    async with running(url) as world:
        await world.create("user", cpu="1", **await create_claim(world.client))
        await wait_asked(world.client)
        await world.client.create(volume("elsewhere", home="another"))
        bound = {"metadata": {"annotations": {BIND_COMPLETED: "yes"}}, "spec": {"volumeName": "elsewhere"}}
        await world.client.patch(core.PersistentVolumeClaim, "data", "default", bound, PatchType.MERGE)
        await world.wait("user", is_refused)
