"""How long an update takes to reach many watchers, each on its own connection."""

from __future__ import annotations

import asyncio
import re
import time

from bench.figures import Figure, percentile
from bench.objects import NAMESPACE, config_map
from pybernetes.api.types import core_v1 as core
from pybernetes.client.config import Config
from pybernetes.client.rest import Client, connect

UPDATES, RATE = 50, 10.0
NUMBER = re.compile(rb'"n":"(\d+)"')


async def measure(client: Client, config: Config, watchers: int) -> list[Figure]:
    name = f"watched-{watchers}"
    made = await client.create(config_map(name))
    sent: dict[int, float] = {}
    delays: list[float] = []
    ready = asyncio.Semaphore(0)

    async def follow() -> None:
        query = {
            "watch": "1", "resourceVersion": made.metadata.resource_version or "", "timeoutSeconds": "600",
            "fieldSelector": f"metadata.name={name}",
        }  # fmt: skip
        async with (
            connect(config) as own,
            own.stream(f"/api/v1/namespaces/{NAMESPACE}/configmaps", query=query) as chunks,
        ):
            ready.release()
            seen = 0
            async for chunk in chunks:
                now = time.monotonic()
                for found in NUMBER.findall(chunk):
                    delays.append(now - sent[int(found)])
                    seen += 1
                if seen >= UPDATES:
                    return

    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        for _ in range(watchers):
            group.create_task(follow())
        for _ in range(watchers):
            await ready.acquire()
        for number in range(UPDATES):
            sent[number] = time.monotonic()
            await client.patch(core.ConfigMap, name, NAMESPACE, {"data": {"n": str(number)}})
            await asyncio.sleep(max(0.0, sent[number] + 1 / RATE - time.monotonic()))
    title = f"watch: {watchers:,} watchers, 10 updates/s"
    return [
        Figure(f"{title}, p50", 1000 * percentile(delays, 0.5)),
        Figure(f"{title}, p99", 1000 * percentile(delays, 0.99)),
    ]
