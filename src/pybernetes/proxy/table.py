"""What must hold: for each port of each service, which addresses lead to which endpoints. Pure.

`api.endpoints` says which endpoints are used; `Local` policies keep to this node's own (internalTrafficPolicy,
externalTrafficPolicy).
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from pybernetes.api.endpoints import Target, targets_of
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery

DEFAULT_AFFINITY_SECONDS = 10800
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"


class PortRules(Struct, frozen=True):
    """One port of one service.

    `balanced_addresses` lead to endpoints of any node whatever the policy: this node is the balancer that has them.
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
    balanced_addresses: tuple[str, ...] = ()
    affinity_seconds: int = 0
    internal_local: bool = False
    external_local: bool = False
    endpoints: tuple[Target, ...] = ()
    local_endpoints: tuple[Target, ...] = ()

    @property
    def reachable(self) -> frozenset[Target]:
        """Every endpoint that some packet is sent to: with hints this node's own need not be among the cluster's."""
        return frozenset((*self.endpoints, *self.local_endpoints))


def rules_of(
    service: v1.Service | None,
    slices: Iterable[discovery.EndpointSlice],
    node_name: str,
    zone: str = "",
    *,
    balances: bool = False,
) -> dict[str, PortRules]:
    """The rules of a service's ports by name; none for services that packets do not pass through."""
    if service is None or not _is_proxied(service):
        return {}
    known = [slice for slice in slices if _is_ours(slice.metadata.labels)]
    spec, base = service.spec, f"{service.metadata.namespace}/{service.metadata.name}"
    found: dict[str, PortRules] = {}
    for port in spec.ports:
        everywhere, here = targets_of(port, known, node_name, zone)
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
            balanced_addresses=ingress if balances and spec.external_traffic_policy == "Local" else (),
            affinity_seconds=_affinity_seconds(spec),
            internal_local=spec.internal_traffic_policy == "Local",
            external_local=spec.external_traffic_policy == "Local",
            endpoints=everywhere,
            local_endpoints=here,
        )
    return found


def _is_proxied(service: v1.Service) -> bool:
    if not _is_ours(service.metadata.labels) or service.spec.type == "ExternalName":
        return False
    return bool(_cluster_addresses(service.spec))


def _is_ours(labels: Mapping[str, str]) -> bool:
    """Whether a service or slice is not another proxy's, nor for DNS alone (kube-proxy's label selector for both)."""
    return PROXY_NAME_LABEL not in labels and HEADLESS_LABEL not in labels


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
