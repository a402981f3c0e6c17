"""Requests to an nginx pod, straight and through the Ingress, with wrk (one thread)."""

from __future__ import annotations

import asyncio
import re
import sys

import msgspec

from bench.figures import Figure
from bench.objects import NAMESPACE
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import networking_v1 as networking
from pybernetes.client.rest import Client

SECONDS = 5
NAME = "web"
POD = {
    "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"app": NAME}},
    "spec": {"containers": [{"name": NAME, "image": "nginx"}]},
}
SERVICE = {
    "metadata": {"name": NAME, "namespace": NAMESPACE},
    "spec": {"selector": {"app": NAME}, "ports": [{"port": 80}]},
}
INGRESS = {
    "metadata": {"name": NAME, "namespace": NAMESPACE},
    "spec": {"defaultBackend": {"service": {"name": NAME, "port": {"number": 80}}}},
}


async def measure(client: Client, node_address: str) -> list[Figure]:
    await client.create(msgspec.convert(POD, core.Pod))
    await client.create(msgspec.convert(SERVICE, core.Service))
    await client.create(msgspec.convert(INGRESS, networking.Ingress))
    async with asyncio.timeout(60):
        while True:
            if "200 OK" in await head_of(node_address):
                break
            await asyncio.sleep(0.1)
    found = await client.get(core.Pod, NAME, NAMESPACE)
    return [
        Figure("nginx, straight to the pod, 32 connections", await load(found.status.pod_ip or "")),
        Figure("nginx, through the Ingress, 32 connections", await load(node_address)),
    ]


async def head_of(address: str) -> str:
    """The first line of an answer; empty if there is none."""
    try:
        reader, writer = await asyncio.open_connection(address, 80)
    except OSError:
        return ""
    writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return line.decode()


async def load(address: str) -> float:
    """Requests per second."""
    command = ["wrk", "-t1", "-c32", f"-d{SECONDS}s", f"http://{address}/"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output.decode())
    if rate is None or b"Non-2xx" in output:
        sys.exit(f"wrk {address}: {output.decode()}")
    return float(rate[1])
