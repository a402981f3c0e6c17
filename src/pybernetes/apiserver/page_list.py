"""Which pages there are beside the resources: discovery, OpenAPI, health, metrics, keys, and those of the process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pybernetes.apiserver.aggregation.aggregator import Aggregator
from pybernetes.apiserver.crd.schemas import custom_schemas
from pybernetes.apiserver.discovery import Discovery
from pybernetes.apiserver.health import Health
from pybernetes.apiserver.measured import MetricsPage, metrics_answer
from pybernetes.apiserver.negotiate import JSON
from pybernetes.apiserver.openapi.documents import OpenAPI
from pybernetes.apiserver.options import Options
from pybernetes.apiserver.pages import Pages
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.stages.authenticate.openid import KEYS_TYPE, OpenID
from pybernetes.apiserver.version import version_page
from pybernetes.apiserver.zpages import StatusPage, flags_page, index_page


def make_pages(
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
    pages.add("/metrics/slis", partial(metrics_answer, health.slis))
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
