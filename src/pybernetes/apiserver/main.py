"""The API server as a whole: made of its parts, run until cancelled.

await run(options)                      # serves until cancelled
await run(options, ready=event.set)     # calls `ready` once it serves
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.aio import self_signed
from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.aio.tls import server_context
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
from pybernetes.apiserver.crd.schemas import custom_schemas
from pybernetes.apiserver.crd.strategy import DefinitionStrategy
from pybernetes.apiserver.discovery import Discovery
from pybernetes.apiserver.handlers.dispatch import Dispatcher
from pybernetes.apiserver.health import API_SERVICES, BEFORE_SERVING, DEFINITIONS, READY, Health
from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.http.server import HTTPServer, serving
from pybernetes.apiserver.kubelets.kubelets import make_kubelets
from pybernetes.apiserver.measured import MeasuredBackend, MetricsPage
from pybernetes.apiserver.negotiate import JSON
from pybernetes.apiserver.nodemetrics.serve import serve_node_metrics
from pybernetes.apiserver.openapi.documents import OpenAPI
from pybernetes.apiserver.options import Options, parse
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
from pybernetes.apiserver.stages.authenticate.openid import KEYS_TYPE, OpenID
from pybernetes.apiserver.stages.fairness.fairness import Fairness, check_seats
from pybernetes.apiserver.stages.fairness.metrics import add_metrics, execution_duration, wait_duration
from pybernetes.apiserver.stages.fairness.pages import add_pages
from pybernetes.apiserver.stages.fairness.stage import PriorityAndFairness
from pybernetes.apiserver.stages.limit import Limit
from pybernetes.apiserver.stages.order import stages
from pybernetes.apiserver.stages.security import make_security
from pybernetes.apiserver.storage import EtcdAccess, open_backend
from pybernetes.apiserver.upkeep.api_services import APIServices
from pybernetes.apiserver.upkeep.flow_control import FlowControl
from pybernetes.apiserver.upkeep.flow_schemas import FlowSchemas
from pybernetes.apiserver.upkeep.keeper import Upkeep
from pybernetes.apiserver.upkeep.service_cidrs import ServiceCIDRs
from pybernetes.apiserver.upkeep.system_namespaces import SystemNamespaces
from pybernetes.apiserver.version import version_page
from pybernetes.apiserver.zpages import StatusPage, flags_page, index_page
from pybernetes.process import collect_seldom, run_alone
from pybernetes.store.backend import Backend, StoreError
from pybernetes.telemetry.metrics import CONTENT_TYPE
from pybernetes.telemetry.metrics import Registry as Metrics
from pybernetes.telemetry.process import add_build_info, add_process_metrics

if TYPE_CHECKING:  # what only some servers use is loaded by those
    from pybernetes.apiserver.encryption.start import EncryptionService
    from pybernetes.apiserver.peers.peers import Peers

log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.0005
"""How long the store's writer may have to wait for the interpreter: each of its commits does, several times."""
MAX_BODY_BYTES = 3 << 20


async def run(options: Options, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until cancelled; then finish what is in hand."""
    if options.profiling:
        raise ValueError("--profiling is not supported: there are no profiles in the format of Go; use py-spy")
    collect_seldom()
    sys.setswitchinterval(SWITCH_SECONDS)
    access = EtcdAccess(options.etcd_cafile, options.etcd_certfile, options.etcd_keyfile, options.etcd_prefix)
    backend = await open_backend(options.storage, access)
    try:
        async with open_scope("apiserver") as scope, started(options, backend, scope, SystemClock()) as handler:
            server = HTTPServer(handler, scope, max_body=MAX_BODY_BYTES, body_seconds=options.request_timeout)
            tls = _tls(options, SystemClock())
            async with serving(server):
                for address in listening_addresses(options):
                    port = await server.listen(address, options.secure_port, tls)
                    log.info("serving address=%s port=%d", address, port)
                if options.local_socket:
                    await server.listen_locally(options.local_socket)
                ready()
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.shield(handler.end())
                    await asyncio.sleep(options.shutdown_delay_duration)
    finally:
        await backend.close()


def listening_addresses(options: Options) -> list[str]:
    """The bind address, and the advertised one where the first does not cover it: pods come that way."""
    if not options.advertise_address or ip_address(options.bind_address).is_unspecified:
        return [options.bind_address]
    return list(dict.fromkeys((options.bind_address, options.advertise_address)))


def _tls(options: Options, clock: Clock) -> ssl.SSLContext | None:
    """None, and so plain HTTP, only if neither a certificate is given nor a place to keep one."""
    files = options.tls_cert_file, options.tls_private_key_file
    if not options.tls_cert_file:
        if not options.cert_dir:
            return None
        files = self_signed.ensure(Path(options.cert_dir), "apiserver", _hosts(options), clock.now())
    authorities = options.client_ca_file, options.requestheader_client_ca_file
    return server_context(*files, *authorities, minimum=_tls_version(options.tls_min_version))


def _hosts(options: Options) -> list[str]:
    """Whom a certificate of our own has to stand for."""
    first_service = str(ip_network(options.service_cluster_ip_range.split(",")[0])[1])
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    addresses = [options.bind_address, options.advertise_address, "127.0.0.1", first_service]
    return ["localhost", socket.gethostname(), *service, *dict.fromkeys(each for each in addresses if each)]


def _tls_version(name: str) -> ssl.TLSVersion:
    """Raises ValueError, as upstream, for what is none; 1.0 and 1.1 are not offered to anybody."""
    if name in ("", "VersionTLS10", "VersionTLS11", "VersionTLS12"):
        return ssl.TLSVersion.TLSv1_2
    if name == "VersionTLS13":
        return ssl.TLSVersion.TLSv1_3
    raise ValueError(f'unknown tls version "{name}"')


@asynccontextmanager
async def started(options: Options, backend: Backend, scope: Scope, clock: Clock) -> AsyncIterator[APIServer]:
    """The server's handler with its caches loaded, without a socket."""
    if options.egress_selector_config_file:
        from pybernetes.apiserver import egress

        egress.check(options.egress_selector_config_file)
    metrics, health = Metrics(), Health()
    add_process_metrics(metrics)
    add_build_info(metrics, API_LEVEL)
    backend = MeasuredBackend(backend, metrics)
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
    access = Access(backend, cacher, AdmitAll())
    access.is_stale = is_stale
    if encryption is not None:
        encryption.serve(cacher.reload, health)
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
    if options.kubelet_client_certificate:  # no kubelet tells anything to a server without one
        serve_node_metrics(services, registry)
    await bootstrap(services, alone=not backend.shared)
    peers: Peers | None = None
    if backend.shared:
        from pybernetes.apiserver.peers.peers import Peers

        peers = Peers(services, backend, cacher)
        await peers.join()
    health.add("etcd", lambda: _unless(cacher.follows, "the watch of the store does not stand"))
    health.add("etcd-readiness", lambda: _unless(cacher.follows, "the watch of the store does not stand"), pages=READY)
    health.add("informer-sync", lambda: _unless(cacher.follows, "the caches do not follow the store"), pages=READY)
    health.add_hooks(BEFORE_SERVING, lambda: "")
    scope.spawn(keep_compacting(backend, clock, options.etcd_compaction_interval), "compaction")
    aggregator = Aggregator(Backends(registry, options))
    pages, changed = _pages(options, registry, services, aggregator, health)
    aggregator.follow(registry, changed)
    api_services = APIServices(services, registry, aggregator)

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
    catch_up = cacher.catch_up if backend.shared else None
    dispatch = Dispatcher(registry, pages, aggregator, catch_up)
    handle = link(stages(services, _limit(services, registry, pages)), dispatch)
    yield APIServer(services, handle, RequestMetrics(metrics, registry), partial(_end, health, peers))


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
        DefinitionStrategy(resource, tracks_generation=True, unconditional_update=False)
        if resource == definition_resource()
        else strategy_of(resource)
    )


def _pages(
    options: Options, registry: ServedRegistry, services: Services, aggregator: Aggregator, health: Health
) -> tuple[Pages, Callable[[], None]]:
    """The pages, and what to call when the served resources have changed."""
    pages = Pages()
    discovery = Discovery(
        registry.resources,
        f"{options.advertise_address or options.bind_address}:{options.secure_port}",
        aggregator.groups,
    )
    pages.add_finder(discovery.find)
    pages.add_finder(health.find)
    openapi = OpenAPI(discovery.groups, partial(custom_schemas, registry), aggregator.documents)
    pages.add_finder(openapi.find)
    pages.add_resource("/version", version_page, JSON)
    pages.add("/metrics", MetricsPage(services.metrics, registry.access.backend))
    pages.add("/metrics/slis", lambda ctx: Response(200, health.slis.render().encode(), CONTENT_TYPE))
    pages.add("/flagz", flags_page(options))
    pages.add("/statusz", StatusPage(services.clock, lambda: [*pages.paths, *health.paths()]))

    def paths() -> list[str]:
        return [*pages.listed, *discovery.paths(), *health.paths(), "/openapi/v2", "/openapi/v3", "/openapi/v3/"]

    pages.add("/", index_page(paths))
    pages.add("/index.html", index_page(paths), listed=False)
    openid = OpenID(services.security, options)
    pages.add_resource("/.well-known/openid-configuration", openid.configuration, JSON)
    pages.add_resource("/openid/v1/jwks", openid.keys, KEYS_TYPE)

    def changed() -> None:
        discovery.changed()
        openapi.changed()

    return pages, changed


def main(arguments: Sequence[str] | None = None) -> int:
    """`p8s apiserver`: serve until SIGTERM or SIGINT; requests in hand are finished. Returns the exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    return run_alone("apiserver", lambda: run(options), StoreError, ValueError, verbosity=options.v)
