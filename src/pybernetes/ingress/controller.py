"""Keeps routes, status and events of our Ingresses current with the API."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from pybernetes.aio.clock import Clock
from pybernetes.api import errors
from pybernetes.api.endpoints import Target, service_of
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.api.types import networking_v1 as networking
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.ingress.classes import is_ours
from pybernetes.ingress.decide import Decision, Endpoints, Question, decide, endpoints_for
from pybernetes.ingress.secrets import Secrets
from pybernetes.ingress.table import Backend, Problem, Table, build, key_of

SETTLING_SECONDS = 1.0
"""What an Ingress names may be applied just after it: what is missing is told when it is still missing then."""


class Controller:
    """Keys are Ingresses. `publish` is the address for their status; `on_endpoints` gets all targets in use."""

    def __init__(
        self, informers: Informers, recorder: EventRecorder, clock: Clock, publish: str,
        on_endpoints: Callable[[set[Target]], None], doors: Callable[[], list[str]],
    ) -> None:  # fmt: skip
        self._client, self._recorder, self._publish = informers.client, recorder, publish
        self._on_endpoints, self._doors = on_endpoints, doors
        self._ingresses = informers.of(networking.Ingress)
        self._classes = informers.of(networking.IngressClass)
        self._services = informers.of(v1.Service)
        self._slices = informers.of(discovery.EndpointSlice)
        self._slices.add_index("service", lambda slice: [service_of(slice)])
        self._secrets = Secrets(informers, self._on_secret)
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._table = Table()
        self._stale = False
        self._backends: set[Backend] = set()
        self._endpoints: dict[Backend, Endpoints] = {}
        self._told: dict[str, set[Problem]] = {}
        self._synced: dict[str, tuple[str, int]] = {}

    async def wait_known(self) -> None:
        """Until the routes, their endpoints and certificates are known, from when on they are kept current."""
        for informer in (self._ingresses, self._classes, self._services, self._slices):
            await informer.synced.wait()
        self._rebuild()
        await self._secrets.wait_known(SETTLING_SECONDS)
        self._ingresses.subscribe(self._on_ingress)
        self._classes.subscribe(lambda old, new: self._on_class())
        self._services.subscribe(self._on_service)
        self._slices.subscribe(self._on_slice)

    async def run(self) -> None:
        """Write status and events; returns only when cancelled."""
        await run_workers(self._queue, self._reconcile, workers=4, name="ingress")

    # What requests ask.

    def decide(self, question: Question) -> Decision:
        return decide(self._table, self._find, question)

    def context(self, host: str) -> ssl.SSLContext | None:
        """The certificate for a host; None if there is none."""
        return self._secrets.context(self._table.secret_of(host))

    def _find(self, backend: Backend) -> Endpoints:
        found = self._endpoints.get(backend)
        if found is None:
            service = self._services.get(backend.service, backend.namespace)
            found = endpoints_for(backend, service, self._slices.by_index("service", backend.name))
            self._endpoints[backend] = found
        return found

    # What the API tells.

    def _on_ingress(self, old: networking.Ingress | None, new: networking.Ingress | None) -> None:
        changed = new or old
        if changed is None:
            return
        if old is None or new is None or _meaning(old) != _meaning(new):
            self._rebuild_soon()
        self._queue.add(key_of(changed))

    def _on_class(self) -> None:
        self._rebuild_soon()
        self.tell_again()

    def _on_service(self, old: v1.Service | None, new: v1.Service | None) -> None:
        changed = new or old
        if changed is not None and (old is None or new is None or old.spec != new.spec):
            name = f"{changed.metadata.namespace}/{changed.metadata.name}"
            self._changed(name)
            for ingress in {route.ingress for route in self._table.routes() if route.backend.name == name}:
                self._queue.add_after(ingress, SETTLING_SECONDS)

    def _on_slice(self, old: discovery.EndpointSlice | None, new: discovery.EndpointSlice | None) -> None:
        for name in {service_of(slice) for slice in (old, new) if slice is not None}:
            self._changed(name)

    def _changed(self, service: str) -> None:
        affected = [backend for backend in self._backends if backend.name == service]
        if not affected:
            return
        for backend in affected:
            self._endpoints.pop(backend, None)
        self._tell_endpoints()

    def _on_secret(self, key: str) -> None:
        for ingress in self._ingresses.list():
            if any(f"{ingress.metadata.namespace}/{tls.secret_name}" == key for tls in ingress.spec.tls):
                self._queue.add(key_of(ingress))

    def _rebuild_soon(self) -> None:
        """One rebuild for all changes of a batch of events, and before anyone is told of them."""
        if not self._stale:
            self._stale = True
            asyncio.get_running_loop().call_soon(self._rebuild)

    def _rebuild(self) -> None:
        self._stale = False
        self._table = build(ingress for ingress in self._ingresses.list() if self._is_ours(ingress))
        self._backends = {route.backend for route in self._table.routes()}
        self._endpoints.clear()
        self._secrets.follow(self._table.secured())
        self._tell_endpoints()

    def _tell_endpoints(self) -> None:
        self._on_endpoints({target for backend in self._backends for target in self._find(backend).targets})

    def _is_ours(self, ingress: networking.Ingress) -> bool:
        return is_ours(ingress, self._classes.list())

    # Status and events.

    def tell_again(self) -> None:
        """Look at all Ingresses once more: what concerns each of them has changed."""
        for ingress in self._ingresses.list():
            self._queue.add(key_of(ingress))

    async def _reconcile(self, key: str) -> float | None:
        namespace, _, name = key.partition("/")
        ingress = self._ingresses.get(name, namespace)
        if ingress is None or not self._is_ours(ingress):
            self._told.pop(key, None)
            known = self._synced.pop(key, None)
            if ingress is not None and known is not None and _addresses(ingress) == [self._publish]:
                await self._write_status(ingress, [])
            return None
        version = (ingress.metadata.uid or "", ingress.metadata.generation or 0)
        fresh, self._synced[key] = self._synced.get(key) != version, version
        if fresh:
            self._recorder.event(ingress, "Normal", "Sync", "Scheduled for sync")
        if _addresses(ingress) != [self._publish]:
            await self._write_status(ingress, [{"ip": self._publish}])
        problems = set(self._table.problems.get(key, ()))
        problems |= {Problem("AddressInUse", sentence) for sentence in self._doors()}
        if not fresh:
            problems |= self._missing(ingress)
        for problem in sorted(problems - self._told.get(key, set()), key=lambda each: (each.reason, each.message)):
            self._recorder.event(ingress, "Warning", problem.reason, problem.message)
        self._told[key] = problems if not fresh else self._told.get(key, set()) | problems
        return SETTLING_SECONDS if fresh else None

    def _missing(self, ingress: networking.Ingress) -> set[Problem]:
        """What the Ingress names and is not there."""
        found = set()
        for tls in ingress.spec.tls:
            key = f"{ingress.metadata.namespace}/{tls.secret_name}"
            if tls.secret_name and (cause := self._secrets.cause(key)):
                hosts = ", ".join(tls.hosts) or "its hosts"
                message = f"{cause}: {hosts} is served with a self-signed certificate until there is one"
                found.add(Problem("NoCertificate", message))
        for backend in {route.backend for route in self._table.routes() if route.ingress == key_of(ingress)}:
            if (cause := self._find(backend).cause) and not cause.endswith("ready"):
                found.add(Problem("BackendNotFound", f"{cause}: requests get 503"))
        return found

    async def _write_status(self, ingress: networking.Ingress, addresses: list[dict[str, str]]) -> None:
        patch = {"metadata": {"uid": ingress.metadata.uid}, "status": {"loadBalancer": {"ingress": addresses or None}}}
        name, namespace = ingress.metadata.name or "", ingress.metadata.namespace or ""
        try:
            await self._client.patch(
                networking.Ingress, name, namespace, patch, PatchType.MERGE, subresource="status"
            )  # fmt: skip
        except errors.StatusError as error:
            if not (errors.is_not_found(error) or errors.is_conflict(error)):
                raise


def _meaning(ingress: networking.Ingress) -> object:
    """What routes are made of."""
    return ingress.metadata.uid, ingress.spec, ingress.metadata.annotations


def _addresses(ingress: networking.Ingress) -> list[str]:
    balancer = ingress.status.load_balancer
    return [each.ip or each.hostname or "" for each in balancer.ingress] if balancer is not None else []
