"""Controllers against a real API server; the test plays scheduler and kubelet."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.apiservers import running_apiserver

from pybernetes.aio.tasks import open_scope
from pybernetes.api import errors
from pybernetes.api.types import apps_v1, batch_v1, core_v1, meta_v1
from pybernetes.client.config import Config
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client, connect
from pybernetes.controllers.context import Context
from pybernetes.controllers.manager import run_controllers
from pybernetes.controllers.options import Options

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        yield server.url


class World:
    """A namespace of the test's own, controllers that run, and hands to play the rest of the cluster with."""

    def __init__(self, client: Client, informers: Informers, namespace: str) -> None:
        self.client, self.informers, self.namespace = client, informers, namespace
        self.pods = informers.of(core_v1.Pod, namespace)

    async def eventually(self, condition: Callable[[], Awaitable[object] | object], seconds: float = 30) -> None:
        """Wait until the condition holds; fails when it does not in time."""
        async with asyncio.timeout(seconds):
            while True:
                found = condition()
                if await found if isinstance(found, Awaitable) else found:
                    return
                await asyncio.sleep(0.005)

    def running_pods(self) -> list[core_v1.Pod]:
        """Those that count as replicas."""
        return [pod for pod in self.pods.list() if pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Failed", "Succeeded")]  # fmt: skip

    def started_pods(self) -> list[core_v1.Pod]:
        """Those that the kubelet that is played has made Running: it lets go of them."""
        return [pod for pod in self.running_pods() if pod.status.phase == "Running"]

    async def set_pod(self, pod: core_v1.Pod, *, ready: bool = True, phase: str = "Running", ip: str = "") -> None:
        """Say what a kubelet would."""
        condition = core_v1.PodCondition(
            type="Ready", status="True" if ready else "False", last_transition_time="2026-01-01T00:00:00Z"
        )
        status = core_v1.PodStatus(
            phase=phase, conditions=[condition], pod_ip=ip or None, pod_ips=[core_v1.PodIP(ip=ip)] if ip else []
        )
        patch = {"status": msgspec.to_builtins(status)}
        name = pod.metadata.name or ""
        await self.client.patch(core_v1.Pod, name, self.namespace, patch, PatchType.STRATEGIC, subresource="status")

    async def play_kubelet(self) -> None:
        """Make every new pod ready, and end every pod that is to be deleted."""
        seen: set[str] = set()
        while True:
            for pod in self.pods.list():
                uid = pod.metadata.uid or ""
                try:
                    if pod.metadata.deletion_timestamp is not None:
                        await self.client.delete(
                            core_v1.Pod, pod.metadata.name or "", self.namespace, uid=uid, grace_period_seconds=0
                        )
                    elif uid not in seen:
                        seen.add(uid)
                        await self.set_pod(pod)
                except errors.StatusError as error:
                    if error.code not in (404, 409):
                        raise
            await asyncio.sleep(0.005)

    def refuse(self, verb: str, name: str) -> None:
        """From now on the server seems not to allow this client to do that to the object of this name."""
        allowed = getattr(self.client, verb)

        async def call(kind: Any, found: str, *args: Any, **kwargs: Any) -> Any:
            if found == name:
                raise errors.forbidden("", "things", name, "not this one")
            return await allowed(kind, found, *args, **kwargs)

        setattr(self.client, verb, call)

    async def wait_told(self, reason: str, start: str) -> None:
        """Until an event of this reason begins with these words: events are written after what they tell of."""

        async def is_told() -> bool:
            events = (await self.client.list(core_v1.Event, self.namespace)).items
            return any(event.reason == reason and (event.message or "").startswith(start) for event in events)

        await self.eventually(is_told)


@asynccontextmanager
async def running_world(url: str, controllers: str, **options: Any) -> AsyncIterator[World]:
    """A world with these controllers (comma-separated; "*" for all)."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(Config(servers=(url,)), user_agent="test"))
        informers = Informers(client)
        namespace = f"test-{next(_numbers)}"
        await client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=namespace)))
        # Admission wants the account that the serviceaccount controller would make.
        await client.create(core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="default", namespace=namespace)))
        world = World(client, informers, namespace)
        await stack.enter_async_context(informers.running())
        scope = await stack.enter_async_context(open_scope("world"))
        context = Context(client, informers, Options(controllers=tuple(controllers.split(",")), **options))
        scope.spawn(run_controllers(context), "controllers")
        await informers.wait_synced()
        if "kubelet" in controllers:
            scope.spawn(world.play_kubelet(), "kubelet")
        yield world
        await scope.close()
        # What is left would keep the controllers of the next test busy.
        for kind in (
            apps_v1.Deployment, apps_v1.ReplicaSet, apps_v1.StatefulSet, apps_v1.DaemonSet, batch_v1.Job,
            core_v1.Service, core_v1.Pod,
        ):  # fmt: skip
            await client.delete_collection(kind, namespace)


@pytest.fixture
def world_of(apiserver: str) -> Callable[..., Any]:
    """`async with world_of("deployment-controller,kubelet") as world`: "kubelet" makes pods ready by itself."""

    def make(controllers: str, **options: Any) -> Any:
        return running_world(apiserver, controllers, **options)

    return make
