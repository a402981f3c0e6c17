"""Health check node ports: which services have one, and what it answers."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1 as meta
from pybernetes.proxy.health import Health
from pybernetes.proxy.health_check import HealthChecks, check_port


@pytest.mark.parametrize(
    ("type_", "policy", "port", "expected"),
    [
        ("LoadBalancer", "Local", 31000, 31000),
        ("LoadBalancer", "Local", None, 0),
        ("LoadBalancer", "Cluster", 31000, 0),
        ("NodePort", "Local", 31000, 0),
    ],
)
def test_which_services_are_asked(type_: str, policy: str, port: int | None, expected: int) -> None:
    spec = v1.ServiceSpec(type=type_, external_traffic_policy=policy, health_check_node_port=port)
    assert check_port(v1.Service(metadata=meta.ObjectMeta(name="s"), spec=spec)) == expected
    assert check_port(None) == 0


async def ask(port: int) -> tuple[str, dict[str, object]]:
    """Status line and body; empty when nobody listens."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /anything HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    except ConnectionError:
        return "", {}
    writer.close()
    return head.partition("\r\n")[0], json.loads(body)


async def test_a_node_says_how_many_endpoints_it_has() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    checks = HealthChecks(Health(FakeClock()), "127.0.0.1")
    running = asyncio.ensure_future(checks.run())
    checks.put("default/web", port, 2)
    while not (answer := await ask(port))[0]:
        await asyncio.sleep(0.001)
    said = {"service": {"namespace": "default", "name": "web"}, "localEndpoints": 2, "serviceProxyHealthy": True}
    assert answer == ("HTTP/1.1 200 OK", said)
    checks.put("default/web", port, 0)
    assert (await ask(port))[0] == "HTTP/1.1 503 Service Unavailable"
    checks.put("default/web", 0, 0)
    while (await ask(port))[0]:
        await asyncio.sleep(0.001)
    running.cancel()
