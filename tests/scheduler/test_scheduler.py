"""The shell around decisions, against a real API server."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.apiservers import running_apiserver

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.api import errors
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.client.config import Config
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informer, Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client, connect
from pybernetes.scheduler.bind import Binder
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.scheduler import Scheduler

from .world import node, pod


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

    async def create(self, name: str, cpu: str = "1") -> None:
        anywhere = [{"operator": "Exists"}]  # a new node is tainted until its kubelet reports
        await self.client.create(pod(name, cpu=cpu, tolerations=anywhere).pod)

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
