"""What must hold: for each port of each service, which addresses lead to which endpoints. Pure.

Rules of choice are upstream's: ready endpoints; if there are none, those that terminate but still serve (KEP-1669);
`Local` policies keep to this node's own (internalTrafficPolicy, externalTrafficPolicy).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery

DEFAULT_AFFINITY_SECONDS = 10800
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Where packets end: a pod's address and port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class PortRules:
    """One port of one service.

    `endpoints` serve the whole cluster, `local_endpoints` are those on this node. `affinity_seconds` is 0 for none.
    `external_addresses` have the service's port; of these `guarded_addresses` are open to `source_ranges` only.
    """

    name: str
    protocol: str
    port: int
    cluster_addresses: tuple[str, ...] = ()
    node_port: int = 0
    external_addresses: tuple[str, ...] = ()
    guarded_addresses: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_seconds: int = 0
    internal_local: bool = False
    external_local: bool = False
    endpoints: tuple[Target, ...] = ()
    local_endpoints: tuple[Target, ...] = ()


def rules_of(
    service: v1.Service | None, slices: Iterable[discovery.EndpointSlice], node_name: str
) -> dict[str, PortRules]:
    """The rules of a service's ports by name; none for services that packets do not pass through."""
    if service is None or not _is_proxied(service):
        return {}
    usable = [each for each in slices if each.address_type == "IPv4" and each.metadata.deletion_timestamp is None]
    spec, base = service.spec, f"{service.metadata.namespace}/{service.metadata.name}"
    found: dict[str, PortRules] = {}
    for port in spec.ports:
        everywhere, here = _endpoints(port, usable, node_name)
        external = _external_addresses(service)
        ingress = _ingress_addresses(service)
        name = f"{base}:{port.name or ''}/{port.protocol or 'TCP'}"
        found[name] = PortRules(
            name=name,
            protocol=(port.protocol or "TCP").lower(),
            port=port.port,
            cluster_addresses=_cluster_addresses(spec),
            node_port=port.node_port or 0,
            external_addresses=tuple(dict.fromkeys((*external, *ingress))),
            guarded_addresses=ingress if spec.load_balancer_source_ranges else (),
            source_ranges=tuple(text for text in spec.load_balancer_source_ranges if ":" not in text),
            affinity_seconds=_affinity_seconds(spec),
            internal_local=spec.internal_traffic_policy == "Local",
            external_local=spec.external_traffic_policy == "Local",
            endpoints=everywhere,
            local_endpoints=here,
        )
    return found


def _is_proxied(service: v1.Service) -> bool:
    labels = service.metadata.labels
    if PROXY_NAME_LABEL in labels or HEADLESS_LABEL in labels or service.spec.type == "ExternalName":
        return False
    return bool(_cluster_addresses(service.spec))


def _cluster_addresses(spec: v1.ServiceSpec) -> tuple[str, ...]:
    addresses = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    return tuple(address for address in addresses if _is_ipv4(address))


def _external_addresses(service: v1.Service) -> tuple[str, ...]:
    return tuple(address for address in service.spec.external_ips if _is_ipv4(address))


def _ingress_addresses(service: v1.Service) -> tuple[str, ...]:
    """The load balancer's addresses, but those whose packets arrive with a node's address instead (KEP-1860)."""
    balancer = service.status.load_balancer
    if service.spec.type != "LoadBalancer" or balancer is None:
        return ()
    return tuple(each.ip for each in balancer.ingress if each.ip and _is_ipv4(each.ip) and each.ip_mode != "Proxy")


def _is_ipv4(address: str) -> bool:
    return address not in ("", "None") and ":" not in address


def _affinity_seconds(spec: v1.ServiceSpec) -> int:
    if spec.session_affinity != "ClientIP":
        return 0
    config = spec.session_affinity_config
    client = config.client_ip if config else None
    return (client.timeout_seconds if client else None) or DEFAULT_AFFINITY_SECONDS


def _endpoints(
    port: v1.ServicePort, slices: Sequence[discovery.EndpointSlice], node_name: str
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """The targets of a service port for the cluster, and those on this node."""
    every = [
        (endpoint, Target(endpoint.addresses[0], number))
        for each in slices
        for number in [_port_number(port, each.ports)]
        if number
        for endpoint in each.endpoints
        if endpoint.addresses
    ]
    here = [pair for pair in every if pair[0].node_name == node_name]
    return _usable(every), _usable(here)


def _port_number(port: v1.ServicePort, ports: Iterable[discovery.EndpointPort]) -> int:
    wanted = (port.name or "", port.protocol or "TCP")
    return next((each.port or 0 for each in ports if (each.name or "", each.protocol or "TCP") == wanted), 0)


def _usable(pairs: Sequence[tuple[discovery.Endpoint, Target]]) -> tuple[Target, ...]:
    ready = {target for endpoint, target in pairs if _is_ready(endpoint)}
    return tuple(sorted(ready or {target for endpoint, target in pairs if _serves_while_terminating(endpoint)}))


def _is_ready(endpoint: discovery.Endpoint) -> bool:
    """Unknown counts as ready (EndpointConditions.ready)."""
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def _serves_while_terminating(endpoint: discovery.Endpoint) -> bool:
    conditions = endpoint.conditions
    return conditions is not None and conditions.serving is True and conditions.terminating is True
