"""What the proxy says of itself: /healthz and /livez for load balancers and people, /metrics for Prometheus."""

import json
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime

from pybernetes.aio.clock import Clock
from pybernetes.aio.http_server import Answer, Request, Routes, text
from pybernetes.aio.http_server import serving as serving_routes
from pybernetes.api.scheme import API_LEVEL
from pybernetes.telemetry.metrics import Counter, Gauge, Histogram, Registry
from pybernetes.telemetry.process import add_build_info, add_process_metrics

log = logging.getLogger(__name__)


class Health:
    """Counts syncs; healthy while the last change was brought to the kernel, or is younger than `limit` seconds."""

    def __init__(self, clock: Clock, limit: float = 60.0) -> None:
        self._clock = clock
        self._limit = limit
        self._failing_since: float | None = None
        self._updated: datetime = clock.now()
        self.seconds = Histogram("kubeproxy_sync_proxy_rules_duration_seconds", "Time of a sync")
        self.last = Gauge("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "When rules were last synced")
        self.failures = Counter("kubeproxy_sync_proxy_rules_nftables_sync_failures_total", "Syncs that failed")
        self.registry = Registry()
        add_process_metrics(self.registry)
        add_build_info(self.registry, API_LEVEL)
        self.registry.add(self.seconds, self.last, self.failures)

    def synced(self, seconds: float) -> None:
        self._failing_since = None
        self._updated = self._clock.now()
        self.seconds.observe(seconds)
        self.last.set(self._updated.timestamp())

    def failed(self) -> None:
        self.failures.inc()
        if self._failing_since is None:
            self._failing_since = self._clock.monotonic()

    def is_healthy(self) -> bool:
        return self._failing_since is None or self._clock.monotonic() - self._failing_since < self._limit

    async def answer_health(self, request: Request) -> Answer:
        """As kube-proxy answers: 503 when changes have not reached the kernel for too long."""
        body = {
            "lastUpdated": self._updated.isoformat(),
            "currentTime": self._clock.now().isoformat(),
            "nodeEligible": True,
        }
        return Answer(json.dumps(body).encode(), "application/json", 200 if self.is_healthy() else 503)

    async def answer_mode(self, request: Request) -> Answer:
        """By upstream's name; there is one here."""
        return text("nftables")

    async def answer_metrics(self, request: Request) -> Answer:
        return text(self.registry.render())


def serving(health: Health, *addresses: str) -> AbstractAsyncContextManager[list[int]]:
    """Answer on each `host:port` that is not empty; yields the ports. Raises OSError, ValueError."""
    routes = {
        "GET /healthz": health.answer_health,
        "GET /livez": health.answer_health,
        "GET /metrics": health.answer_metrics,
        "GET /proxyMode": health.answer_mode,
    }
    return serving_routes(Routes(routes), *addresses)


@asynccontextmanager
async def serving_spare(health: Health, addresses: Iterable[str]) -> AsyncIterator[list[int]]:
    """The same, for addresses that another proxy of the machine may have: then it is the one that answers there."""
    async with AsyncExitStack() as stack:
        ports: list[int] = []
        for address in addresses:
            try:
                ports += await stack.enter_async_context(serving(health, address))
            except OSError as error:
                log.info("somebody else answers address=%s error=%s", address, error)
        yield ports
