"""The loop between informers and backend: what changed since the last sync goes into the next."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import open_scope
from pybernetes.aio.threads import Worker
from pybernetes.api.endpoints import ZONE_LABEL, have_hints, ready_on, service_of
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.client.informer import Informer, Informers
from pybernetes.proxy.health import Health
from pybernetes.proxy.health_check import HealthChecks, check_port
from pybernetes.proxy.table import PortRules, rules_of

log = logging.getLogger(__name__)


class Backend(Protocol):
    """What makes the rules hold. Calls block and come from one thread."""

    def sync(self, changed: Mapping[str, PortRules | None], *, whole: bool = False) -> None:
        """Take service ports by name, None for those that are gone. Raises OSError; the next call makes up for it."""
        ...

    def is_intact(self) -> bool:
        """Whether what was made is still there."""
        ...


class Proxier:
    """Keeps a backend current for one node."""

    def __init__(
        self,
        informers: Informers,
        backend: Backend,
        node_name: str,
        clock: Clock,
        health: Health | None = None,
        *,
        balances: bool = False,
    ) -> None:
        """`balances`: this node has the addresses of load balancers."""
        self._balances = balances
        self._health = health or Health(clock)
        self._checks = HealthChecks(self._health)
        self._backend = backend
        self._node_name = node_name
        self._clock = clock
        self._services = informers.of(v1.Service)
        self._slices = informers.of(discovery.EndpointSlice)
        self._slices.add_index("service", lambda slice: [service_of(slice)])
        # Of the node only the zone counts, and that only with hints: it is watched from the first ones on.
        self._informers = informers
        self._node: Informer[v1.Node] | None = None
        self._hinted: set[str] = set()
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._whole = True
        # What the backend has been given, by service; changes that a failed sync did not bring are kept for the next.
        self._given: dict[str, dict[str, PortRules]] = {}
        self._pending: dict[str, PortRules | None] = {}

    async def run(self, *, check_seconds: float, pause_seconds: float = 0.0) -> None:
        """Sync at each change, and check every `check_seconds` that nobody removed the rules.

        Returns only when cancelled. The first sync waits for complete informers, so that a restart takes no service
        away that is merely not known yet.
        """
        worker = Worker("proxy")
        try:
            await self._services.synced.wait()
            await self._slices.synced.wait()
            self._services.subscribe(self._on_service)
            self._slices.subscribe(self._on_slice)
            async with open_scope("proxy") as scope:
                scope.spawn(self._check(worker, check_seconds), "check")
                scope.spawn(self._checks.run(), "health checks")
                await self._sync_for_ever(worker, pause_seconds)
        finally:
            await worker.close()

    def _on_service(self, old: v1.Service | None, new: v1.Service | None) -> None:
        changed = new or old
        if changed is not None:
            self._mark(f"{changed.metadata.namespace}/{changed.metadata.name}")

    def _on_slice(self, old: discovery.EndpointSlice | None, new: discovery.EndpointSlice | None) -> None:
        for slice in (old, new):
            if slice is not None:
                self._mark(service_of(slice))

    def _on_node(self, old: v1.Node | None, new: v1.Node | None) -> None:
        if _zone_of(old) != _zone_of(new):
            for service in self._hinted:
                self._mark(service)

    def _mark(self, service: str) -> None:
        self._dirty.add(service)
        self._wake.set()

    async def _sync_for_ever(self, worker: Worker, pause_seconds: float) -> None:
        backoff = Backoff(initial=0.1, limit=10.0)
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._collect()
            started = self._clock.monotonic()
            try:
                await worker.run(self._backend.sync, dict(self._pending), whole=self._whole)
            except OSError as error:
                log.error("sync failed error=%r services=%d", str(error), len(self._pending))
                self._health.failed()
                self._wake.set()
                await self._clock.sleep(backoff.next())
                continue
            self._health.synced(self._clock.monotonic() - started)
            self._whole = False
            self._pending.clear()
            backoff.reset()
            if pause_seconds:
                await self._clock.sleep(pause_seconds)

    def _collect(self) -> None:
        """Turn the services that changed into port rules that changed."""
        for service in self._dirty:
            namespace, _, name = service.partition("/")
            slices = self._slices.by_index("service", service)
            found = self._services.get(name, namespace)
            zone = self._zone(service, slices)
            rules = rules_of(found, slices, self._node_name, zone, balances=self._balances)
            self._checks.put(service, check_port(found), ready_on(slices, self._node_name))
            given = self._given.get(service, {})
            for port in {**given, **rules}:
                if rules.get(port) != given.get(port):
                    self._pending[port] = rules.get(port)
            if rules:
                self._given[service] = rules
            else:
                self._given.pop(service, None)
        self._dirty.clear()

    def _zone(self, service: str, slices: list[discovery.EndpointSlice]) -> str:
        """The node's, as far as it is known and the service goes by it."""
        if not have_hints(slices):
            self._hinted.discard(service)
            return ""
        self._hinted.add(service)
        if self._node is None:
            self._node = self._informers.of(v1.Node, field_selector=f"metadata.name={self._node_name}")
            self._node.subscribe(self._on_node)
        return _zone_of(self._node.get(self._node_name))

    async def _check(self, worker: Worker, seconds: float) -> None:
        while True:
            await self._clock.sleep(seconds)
            if not self._wake.is_set() and not await worker.run(self._backend.is_intact):
                log.warning("rules are gone, writing them again")
                self._whole = True
                self._wake.set()


def _zone_of(node: v1.Node | None) -> str:
    return node.metadata.labels.get(ZONE_LABEL, "") if node is not None else ""
