"""How long an update takes to reach many watchers, each on its own connection."""

from __future__ import annotations

import asyncio
import multiprocessing
import time

from bench import arrivals
from bench.figures import Figure, percentile
from bench.objects import NAMESPACE, config_map
from pybernetes.api.types import core_v1 as core
from pybernetes.client.config import Config
from pybernetes.client.rest import Client

UPDATES, RATE = 50, 10.0


async def measure(client: Client, config: Config, watchers: int) -> list[Figure]:
    """The watches are a process's own: see `arrivals`. Two processes of a machine read the same monotonic clock."""
    name = f"watched-{watchers}"
    made = await client.create(config_map(name))
    path = (
        f"/api/v1/namespaces/{NAMESPACE}/configmaps?watch=1&resourceVersion={made.metadata.resource_version}"
        f"&timeoutSeconds=600&fieldSelector=metadata.name%3D{name}"
    )
    spawned = multiprocessing.get_context("spawn")
    here, there = spawned.Pipe()
    process = spawned.Process(target=arrivals.follow, args=(there, config, path, watchers, UPDATES), daemon=True)
    process.start()
    there.close()
    async with asyncio.timeout(300):
        await asyncio.to_thread(here.recv)
        sent = await _update(client, name)
        noted: list[tuple[int, float]] = await asyncio.to_thread(here.recv)
        await asyncio.to_thread(process.join)
    if len(noted) != watchers * UPDATES:
        raise RuntimeError(f"{len(noted)} of {watchers * UPDATES} events arrived")
    delays = [moment - sent[number] for number, moment in noted]
    title = f"watch: {watchers:,} watchers, 10 updates/s"
    return [
        Figure(f"{title}, p50", 1000 * percentile(delays, 0.5)),
        Figure(f"{title}, p99", 1000 * percentile(delays, 0.99)),
    ]


async def _update(client: Client, name: str) -> list[float]:
    """When each update was about to be sent."""
    sent = []
    for number in range(UPDATES):
        sent.append(time.monotonic())
        await client.patch(core.ConfigMap, name, NAMESPACE, {"data": {"n": str(number)}})
        await asyncio.sleep(max(0.0, sent[number] + 1 / RATE - time.monotonic()))
    return sent
