"""From POST to Ready: one pod after the other, thirty at once, a deployment scaled and rolled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bench.figures import Figure, percentile
from bench.objects import NAMESPACE, is_ready, pod
from pybernetes.api.types import apps_v1 as apps
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.client.informer import Informer, Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client

SERIAL, BURST = 20, 30


class Watched:
    """Waits for what an informer's cache shows, event by event."""

    def __init__(self, informers: Informers) -> None:
        self.pods: Informer[core.Pod] = informers.of(core.Pod, NAMESPACE)
        self.deployments: Informer[apps.Deployment] = informers.of(apps.Deployment, NAMESPACE)
        self._changed = asyncio.Event()
        self.pods.subscribe(lambda old, new: self._changed.set())
        self.deployments.subscribe(lambda old, new: self._changed.set())

    async def until(self, reached: Callable[[], bool], seconds: float = 120) -> float:
        """The moment at which it was reached (monotonic)."""
        async with asyncio.timeout(seconds):
            while not reached():
                self._changed.clear()
                await self._changed.wait()
        return time.monotonic()

    def ready(self, names: list[str]) -> bool:
        found = [self.pods.get(name, NAMESPACE) for name in names]
        return all(one is not None and is_ready(one) for one in found)

    def gone(self, names: list[str]) -> bool:
        return not any(self.pods.get(name, NAMESPACE) for name in names)


async def measure(client: Client) -> list[Figure]:
    informers = Informers(client)
    watched = Watched(informers)
    async with informers.running():
        await informers.wait_synced()
        return [*await serial(client, watched), await burst(client, watched), *await deployment(client, watched)]


async def serial(client: Client, watched: Watched) -> list[Figure]:
    """The first pod warms the image and is not counted."""
    starts, ends = [], []
    for number in range(SERIAL + 1):
        names = [f"serial-{number}"]
        began = time.monotonic()
        await client.create(pod(names[0]))
        starts.append(await watched.until(lambda: watched.ready(names)) - began)  # noqa: B023
        began = time.monotonic()
        await client.delete(core.Pod, names[0], NAMESPACE)
        ends.append(await watched.until(lambda: watched.gone(names)) - began)  # noqa: B023
    return [
        Figure("pod POST to Ready, one by one, p50", 1000 * percentile(starts[1:], 0.5)),
        Figure("pod POST to Ready, one by one, p99", 1000 * percentile(starts[1:], 0.99)),
        Figure("graceful delete until gone, p50", 1000 * percentile(ends[1:], 0.5)),
    ]


async def burst(client: Client, watched: Watched) -> Figure:
    names = [f"burst-{number}" for number in range(BURST)]
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(client.create(pod(name)))
    ready = await watched.until(lambda: watched.ready(names)) - began
    for name in names:
        await client.delete(core.Pod, name, NAMESPACE)
    await watched.until(lambda: watched.gone(names))
    return Figure("30 pods at once until all Ready", ready)


async def deployment(client: Client, watched: Watched) -> list[Figure]:
    labels = {"app": "rolled"}
    template = core.PodTemplateSpec(metadata=meta.ObjectMeta(labels=labels), spec=pod("").spec)
    spec = apps.DeploymentSpec(replicas=3, selector=meta.LabelSelector(match_labels=labels), template=template)
    made = apps.Deployment(metadata=meta.ObjectMeta(name="rolled", namespace=NAMESPACE), spec=spec)

    def complete(replicas: int, wanted: apps.Deployment) -> bool:
        found = watched.deployments.get("rolled", NAMESPACE)
        if found is None or (found.status.observed_generation or 0) < (wanted.metadata.generation or 0):
            return False
        status = found.status
        counts = (status.replicas, status.updated_replicas, status.available_replicas)
        return counts == (replicas, replicas, replicas)

    began = time.monotonic()
    created = await client.create(made)
    first = await watched.until(lambda: complete(3, created)) - began
    began = time.monotonic()
    larger = await client.patch(apps.Deployment, "rolled", NAMESPACE, {"spec": {"replicas": 30}})
    scaled = await watched.until(lambda: complete(30, larger)) - began
    containers = [{"name": "main", "env": [{"name": "VERSION", "value": "2"}]}]
    update = {"spec": {"template": {"spec": {"containers": containers}}}}
    began = time.monotonic()
    newer = await client.patch(apps.Deployment, "rolled", NAMESPACE, update, PatchType.STRATEGIC)
    rolled = await watched.until(lambda: complete(30, newer)) - began
    await client.delete(apps.Deployment, "rolled", NAMESPACE)
    return [
        Figure("deployment of 3 Available", first),
        Figure("scale 3 -> 30 until Ready", scaled),
        Figure("rolling update of 30", rolled),
    ]
