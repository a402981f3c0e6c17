"""Requests per second with wrk (one thread), which costs the server less than a Python client would."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from bench.figures import Figure
from bench.objects import NAMESPACE, config_map, pod
from pybernetes.client.rest import Client

SCRIPT = Path(__file__).with_name("requests.lua")
SECONDS = 5
OPERATIONS = {"get": "GET", "list": "LIST 1,000 pods", "create": "CREATE", "patch": "PATCH (merge)"}


async def measure(client: Client, server: str, token: str) -> list[Figure]:
    await fill(client)
    figures = []
    for operation, title in OPERATIONS.items():
        for connections in (1, 32):
            rate = await load(operation, connections, server, token)
            figures.append(Figure(f"{title}, {connections} connection{'s' if connections > 1 else ''}", rate))
    return figures


async def fill(client: Client) -> None:
    """1,000 pods that nobody schedules, and 32 config maps."""
    slots = asyncio.Semaphore(32)

    async def create(obj: object) -> None:
        async with slots:
            await client.create(obj)  # type: ignore[type-var]

    async with asyncio.TaskGroup() as group:
        for number in range(1000):
            group.create_task(create(pod(f"idle-{number}", scheduler="none")))
        for number in range(32):
            group.create_task(create(config_map(f"get-{number}")))


async def load(operation: str, connections: int, server: str, token: str) -> float:
    """Requests per second; the run ends by itself."""
    environment = {"OP": operation, "TOKEN": token, "BASE": f"/api/v1/namespaces/{NAMESPACE}", "RUN": str(connections)}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(SCRIPT), server]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment | {"PATH": "/usr/bin:/bin"}, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    text = output.decode()
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None or "Non-2xx" in text:
        sys.exit(f"wrk {operation}: {text}")
    return float(rate[1])
