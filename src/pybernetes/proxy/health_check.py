"""The health check node port of a service: whether this node has an endpoint of its own for what a balancer sends it.

For services of type LoadBalancer whose external traffic policy is Local; answers are kube-proxy's.
"""

from __future__ import annotations

import asyncio
import json
import logging

from msgspec import Struct

from pybernetes.aio.http_server import Answer, Connection, Front, respond
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.api.types import core_v1 as v1
from pybernetes.proxy.health import Health

log = logging.getLogger(__name__)


def check_port(service: v1.Service | None) -> int:
    """Where the service's health is asked; 0 for nowhere."""
    if service is None or service.spec.type != "LoadBalancer" or service.spec.external_traffic_policy != "Local":
        return 0
    return service.spec.health_check_node_port or 0


class _Check(Struct):
    port: int
    endpoints: int
    server: asyncio.Server | None = None


class HealthChecks:
    """A small server for each service that has such a port."""

    def __init__(self, health: Health, host: str | None = None) -> None:
        """Answers on `host`, on all addresses of the node if that is None (as a node port does)."""
        self._health, self._host = health, host
        self._checks: dict[str, _Check] = {}
        self._ended: list[asyncio.Server] = []
        self._changed = asyncio.Event()

    def put(self, service: str, port: int, endpoints: int) -> None:
        """Take a service (`namespace/name`), its port (0 for none) and how many endpoints it has here."""
        known = self._checks.get(service)
        if known is not None and known.port == port:
            known.endpoints = endpoints
            return
        if known is not None:
            del self._checks[service]
            if known.server is not None:
                self._ended.append(known.server)
        if port:
            self._checks[service] = _Check(port, endpoints)
        if known is not None or port:
            self._changed.set()

    async def run(self) -> None:
        """Listen where services are asked for; returns only when cancelled."""
        async with open_scope("health checks") as scope:
            try:
                while True:
                    await self._changed.wait()
                    self._changed.clear()
                    await self._follow(scope)
            finally:
                self._ended += [check.server for check in self._checks.values() if check.server is not None]
                self._close_ended()

    async def _follow(self, scope: Scope) -> None:
        """Listen for the services that there are now, and for no others."""
        self._close_ended()
        for service, check in list(self._checks.items()):
            if check.server is None:
                await self._listen(service, check, scope)

    async def _listen(self, service: str, check: _Check, scope: Scope) -> None:
        async def handle(connection: Connection) -> None:
            await respond(connection, self._answer(service))

        loop = asyncio.get_running_loop()
        try:
            check.server = await loop.create_server(lambda: Front(handle, scope), self._host, check.port)
        except OSError as error:
            log.error("no health check service=%s port=%d error=%s", service, check.port, error)
            return
        if self._checks.get(service) is not check:
            check.server.close()

    def _close_ended(self) -> None:
        while self._ended:
            self._ended.pop().close()

    async def _answer(self, service: str) -> Answer:
        check, healthy = self._checks.get(service), self._health.is_healthy()
        endpoints = check.endpoints if check is not None else 0
        namespace, _, name = service.partition("/")
        said = {
            "service": {"namespace": namespace, "name": name},
            "localEndpoints": endpoints,
            "serviceProxyHealthy": healthy,
        }
        return Answer(json.dumps(said).encode(), "application/json", 200 if endpoints and healthy else 503)
