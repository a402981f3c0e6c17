"""The API server, made of its parts: store, caches, stages, pages, and what it keeps true by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.api.scheme import API_LEVEL, Resource
from pybernetes.apiserver.admission import AdmitAll
from pybernetes.apiserver.aggregation.aggregator import Aggregator
from pybernetes.apiserver.aggregation.backends import Backends
from pybernetes.apiserver.allocators.allocators import make_allocators
from pybernetes.apiserver.bootstrap.bootstrap import bootstrap
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.cacher.cacher import Cacher
from pybernetes.apiserver.chain import Stage, link
from pybernetes.apiserver.compaction import keep_compacting
from pybernetes.apiserver.crd.controller import DefinitionController, definition_resource
from pybernetes.apiserver.crd.strategy import DefinitionStatus, DefinitionStrategy
from pybernetes.apiserver.handlers.dispatch import Dispatcher
from pybernetes.apiserver.health import API_SERVICES, BEFORE_SERVING, DEFINITIONS, READY, Health
from pybernetes.apiserver.kubelets.kubelets import make_kubelets
from pybernetes.apiserver.measured import MeasuredBackend
from pybernetes.apiserver.nodemetrics.serve import serve_node_metrics
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.page_list import make_pages
from pybernetes.apiserver.pages import Pages
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.registry.store import Access
from pybernetes.apiserver.request_info import RequestInfo
from pybernetes.apiserver.request_metrics import RequestMetrics
from pybernetes.apiserver.resources.component_status import serve_component_statuses
from pybernetes.apiserver.resources.strategies import strategy_of
from pybernetes.apiserver.resources.strategy import Strategy
from pybernetes.apiserver.server import APIServer
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.stages.admit.plugins import make_plugins
from pybernetes.apiserver.stages.fairness.fairness import Fairness, check_seats
from pybernetes.apiserver.stages.fairness.metrics import add_metrics, execution_duration, wait_duration
from pybernetes.apiserver.stages.fairness.pages import add_pages
from pybernetes.apiserver.stages.fairness.stage import PriorityAndFairness
from pybernetes.apiserver.stages.limit import Limit
from pybernetes.apiserver.stages.order import stages
from pybernetes.apiserver.stages.security import make_security
from pybernetes.apiserver.upkeep.api_services import APIServices
from pybernetes.apiserver.upkeep.flow_control import FlowControl
from pybernetes.apiserver.upkeep.flow_schemas import FlowSchemas
from pybernetes.apiserver.upkeep.keeper import Upkeep
from pybernetes.apiserver.upkeep.service_cidrs import ServiceCIDRs
from pybernetes.apiserver.upkeep.system_namespaces import SystemNamespaces
from pybernetes.store.backend import Backend
from pybernetes.telemetry.metrics import Registry as Metrics
from pybernetes.telemetry.process import add_build_info, add_process_metrics

if TYPE_CHECKING:  # what only some servers use is loaded by those
    from pybernetes.apiserver.encryption.start import EncryptionService
    from pybernetes.apiserver.peers.peers import Peers


@asynccontextmanager
async def started(options: Options, backend: Backend, scope: Scope, clock: Clock) -> AsyncIterator[APIServer]:
    """The server's handler with its caches loaded, without a socket. What it spawns ends with `scope`.

    The caller closes `backend`. Raises ValueError for options that cannot be, StoreError.
    """
    if options.egress_selector_config_file:
        from pybernetes.apiserver import egress

        egress.check(options.egress_selector_config_file)
    metrics, health = Metrics(), Health()
    add_process_metrics(metrics)
    add_build_info(metrics, API_LEVEL)
    access = await _loaded(options, MeasuredBackend(backend, metrics), scope, clock, metrics, health)
    services, registry = _services(options, scope, clock, metrics, access)
    await bootstrap(services, alone=not access.backend.shared)
    peers = await _joined(services, access)
    scope.spawn(keep_compacting(access.backend, clock, options.etcd_compaction_interval), "compaction")
    aggregator = Aggregator(Backends(registry, options))
    pages, changed = make_pages(options, registry, services, aggregator, health)
    aggregator.follow(registry, changed)
    _add_checks(health, access.cacher)
    _keep_true(services, registry, aggregator, health, changed)
    catch_up = access.cacher.catch_up if access.backend.shared else None
    dispatch = Dispatcher(registry, pages, aggregator, catch_up)
    handle = link(stages(services, _limit(services, registry, pages)), dispatch)
    yield APIServer(services, handle, RequestMetrics(metrics, registry), partial(_end, health, peers))


async def _loaded(
    options: Options, backend: Backend, scope: Scope, clock: Clock, metrics: Metrics, health: Health
) -> Access:
    """The store with what is configured to stand before it, and a cache that follows it; nobody admits yet."""
    encryption = _encryption(options, backend, scope, clock, metrics)
    if encryption is not None:
        await encryption.start()
        backend = encryption.backend
    is_stale = None if encryption is None else encryption.backend.is_stale
    if backend.shared:  # somebody else may have written to it
        from pybernetes.apiserver.takeover import TakenOverBackend

        taken = TakenOverBackend(backend, is_stale)
        backend, is_stale = taken, taken.is_stale
    cacher = Cacher(backend, clock, window=options.default_watch_cache_size)
    await (cacher.start(scope) if encryption is None else encryption.load(lambda: cacher.start(scope)))
    if encryption is not None:
        encryption.serve(cacher.reload, health)
    access = Access(backend, cacher, AdmitAll())
    access.is_stale = is_stale
    return access


def _services(
    options: Options, scope: Scope, clock: Clock, metrics: Metrics, access: Access
) -> tuple[Services, ServedRegistry]:
    """What handlers and stages work with; from now on `access` admits as configured."""
    registry = ServedRegistry(access, _strategy_of)
    security = make_security(options, clock, registry, metrics)
    for one in security.reloads:
        scope.spawn(one.run(), "reload")
    access.admission = make_plugins(options, registry, security, scope, metrics)
    services = Services(
        options,
        clock,
        scope,
        metrics,
        registry,
        access.admission,
        security,
        make_allocators(options, registry),
        make_kubelets(options),
    )
    registry.services = services
    serve_component_statuses(registry)
    # No kubelet tells anything to a server without a certificate.
    if options.serve_node_metrics and options.kubelet_client_certificate:
        serve_node_metrics(services, registry)
    return services, registry


async def _joined(services: Services, access: Access) -> Peers | None:
    """The other servers of a store that is shared."""
    if not access.backend.shared:
        return None
    from pybernetes.apiserver.peers.peers import Peers

    peers = Peers(services, access.backend, access.cacher)
    await peers.join()
    return peers


def _add_checks(health: Health, cacher: Cacher) -> None:
    """Those that tell of the store and the caches, and of what is done before the first request."""
    health.add("etcd", lambda: _unless(cacher.follows, "the watch of the store does not stand"))
    health.add("etcd-readiness", lambda: _unless(cacher.follows, "the watch of the store does not stand"), pages=READY)
    health.add("informer-sync", lambda: _unless(cacher.follows, "the caches do not follow the store"), pages=READY)
    health.add_hooks(BEFORE_SERVING, lambda: "")


def _keep_true(
    services: Services,
    registry: ServedRegistry,
    aggregator: Aggregator,
    health: Health,
    changed: Callable[[], None],
) -> None:
    """Follow definitions and APIServices, and keep what is the server's own; `changed`: what is served has."""
    scope, api_services = services.scope, APIServices(services, registry, aggregator)

    def served_changed() -> None:
        changed()
        api_services.changed()

    definitions = scope.spawn(DefinitionController(services, registry, served_changed).run(), "definitions")
    health.add_hooks(DEFINITIONS, lambda: _unless(not definitions.done(), "definitions are not followed"))
    kept = (
        FlowControl(services, registry),
        FlowSchemas(services, registry),
        ServiceCIDRs(services, registry),
        SystemNamespaces(services, registry),
        api_services,
    )
    upkeep = scope.spawn(Upkeep(services, kept).run(), "upkeep")

    def keeps_services() -> str:
        return _unless(not upkeep.done(), "APIServices are not kept")

    health.add_hooks(API_SERVICES, keeps_services)
    health.add("autoregister-completion", keeps_services)


def _unless(holds: bool, wrong: str) -> str:
    return "" if holds else wrong


async def _end(health: Health, peers: Peers | None) -> None:
    """Say that the server ends, before it does."""
    health.draining = True
    if peers is not None:
        await peers.leave()


def _encryption(
    options: Options, backend: Backend, scope: Scope, clock: Clock, metrics: Metrics
) -> EncryptionService | None:
    """What stands between the server and its store, if that is configured. Raises ValueError."""
    if options.encryption_provider_config:
        from pybernetes.apiserver.encryption.start import EncryptionService

        return EncryptionService(options, backend, scope, clock, metrics)
    if options.encryption_provider_config_automatic_reload:
        raise ValueError("--encryption-provider-config-automatic-reload must be set with --encryption-provider-config")
    return None


def _limit(services: Services, registry: ServedRegistry, pages: Pages) -> Stage:
    """Priority and fairness, or only a number of requests at once. Raises ValueError."""
    options = services.options
    if not options.enable_priority_and_fairness:
        return Limit(options.max_requests_inflight, options.max_mutating_requests_inflight)
    seats = check_seats(options.max_requests_inflight, options.max_mutating_requests_inflight)
    waits, execution = wait_duration(), execution_duration()
    fairness = Fairness(registry, services.scope, services.clock, execution, seats)
    services.metrics.add(waits, execution)
    add_metrics(services.metrics, fairness)
    add_pages(pages, fairness, services.clock)

    def stored(info: RequestInfo) -> Cache | None:
        served = registry.served(info.api_group, info.api_version, info.resource)
        return None if served is None else served.store.cache

    return PriorityAndFairness(fairness, stored, waits, options.request_timeout / 4)


def _strategy_of(resource: Resource) -> Strategy:
    return (
        DefinitionStrategy(resource, {"status": DefinitionStatus()}, tracks_generation=True, unconditional_update=False)
        if resource == definition_resource()
        else strategy_of(resource)
    )
