"""What the proxy says of itself: /healthz and /livez for load balancers and people, /metrics for Prometheus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from aiohttp import web

from pybernetes.aio.clock import Clock
from pybernetes.telemetry.metrics import Counter, Gauge, Histogram, Registry


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

    async def answer_health(self, request: web.Request) -> web.Response:
        """As kube-proxy answers: 503 when changes have not reached the kernel for too long."""
        body = {
            "lastUpdated": self._updated.isoformat(),
            "currentTime": self._clock.now().isoformat(),
            "nodeEligible": True,
        }
        return web.json_response(body, status=200 if self.is_healthy() else 503)

    async def answer_metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=self.registry.render(), content_type="text/plain")


@asynccontextmanager
async def serving(health: Health, *addresses: str) -> AsyncIterator[list[int]]:
    """Answer on each `host:port` that is not empty; yields the ports. Raises OSError, ValueError."""
    app = web.Application()
    for path in ("/healthz", "/livez"):
        app.router.add_get(path, health.answer_health)
    app.router.add_get("/metrics", health.answer_metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        for address in filter(None, addresses):
            host, _, port = address.rpartition(":")
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        yield [address[1] for address in runner.addresses]
    finally:
        await runner.cleanup()
