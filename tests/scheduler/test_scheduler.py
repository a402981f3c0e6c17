"""The shell around decisions, against a real API server."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.apiservers import running_apiserver

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.api import errors
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.client.config import Config
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.rest import connect
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


async def test_the_room_of_a_pod_that_cannot_be_bound_is_had_by_others(url: str) -> None:
    clock = SystemClock()
    async with connect(Config(servers=(url,)), user_agent="test") as client, open_scope("test") as scope:
        await client.create(core.ServiceAccount(metadata=meta.ObjectMeta(name="default", namespace="default")))
        await client.create(node("only", cpu="1"))
        informers = Informers(client)
        pods = informers.of(core.Pod)
        binder = Refusing(client, EventRecorder(client, "test", clock=clock), clock, asyncio.Event())
        scheduler = Scheduler(informers, binder, clock, random.Random(0))
        async with informers.running():
            scope.spawn(scheduler.run(), "scheduler")
            anywhere = [{"operator": "Exists"}]  # a new node is tainted until its kubelet reports
            for name in ("refused", "other"):
                await client.create(pod(name, cpu="1", tolerations=anywhere).pod)
            async with asyncio.timeout(30):
                while not (found := pods.get("other", "default")) or not found.spec.node_name:
                    await asyncio.sleep(0.01)
