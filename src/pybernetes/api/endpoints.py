"""Which endpoints of a service get its traffic: one rule for everything that sends some. Pure.

Ready endpoints; if there are none, those that terminate but still serve (KEP-1669). Of the ready ones those that hints
mean for a node are used there, else those for its zone, if every one of them has such hints (KEP-2433, KEP-3015).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
ZONE_LABEL = "topology.kubernetes.io/zone"


class Target(Struct, frozen=True, order=True):
    """Where traffic ends: a pod's address and port."""

    address: str
    port: int


def service_of(slice: discovery.EndpointSlice) -> str:
    """`namespace/name` of the service that a slice belongs to: for an informer's index."""
    return f"{slice.metadata.namespace}/{slice.metadata.labels.get(SERVICE_NAME_LABEL, '')}"


def targets_of(
    port: v1.ServicePort, slices: Iterable[discovery.EndpointSlice], node_name: str, zone: str = ""
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """The IPv4 targets of a service port that a node uses of the whole cluster, and those on it; each once, sorted.

    Without a node's name hints do not count.
    """
    every = [
        (endpoint, Target(endpoint.addresses[0], number))
        for each in slices
        if each.address_type == "IPv4" and each.metadata.deletion_timestamp is None
        for number in [_port_number(port, each.ports)]
        if number
        for endpoint in each.endpoints
        if endpoint.addresses
    ]
    here = [pair for pair in every if pair[0].node_name == node_name]
    return _usable(_near(every, node_name, zone)), _usable(here)


def have_hints(slices: Iterable[discovery.EndpointSlice]) -> bool:
    return any(endpoint.hints is not None for slice in slices for endpoint in slice.endpoints)


def ready_on(slices: Iterable[discovery.EndpointSlice], node_name: str) -> int:
    """How many ready endpoints a service has on a node, whatever its ports."""
    here = (each for slice in slices for each in slice.endpoints if each.node_name == node_name and _is_ready(each))
    return len({endpoint.addresses[0] for endpoint in here if endpoint.addresses})


def _port_number(port: v1.ServicePort, ports: Iterable[discovery.EndpointPort]) -> int:
    wanted = (port.name or "", port.protocol or "TCP")
    return next((each.port or 0 for each in ports if (each.name or "", each.protocol or "TCP") == wanted), 0)


def _near(
    pairs: Sequence[tuple[discovery.Endpoint, Target]], node_name: str, zone: str
) -> Sequence[tuple[discovery.Endpoint, Target]]:
    """Those that hints mean for the node or its zone; all of them, unless all that are ready have such hints."""
    hints = [(endpoint.hints, (endpoint, target)) for endpoint, target in pairs if _is_ready(endpoint)]
    if not hints or not node_name or any(found is None for found, _ in hints):
        return pairs
    for place, names in ((node_name, _nodes_of), (zone, _zones_of)):
        named = [(names(found), pair) for found, pair in hints if found is not None]
        near = [pair for among, pair in named if place in among]
        if near and all(among for among, _ in named):
            return near
    return pairs


def _nodes_of(hints: discovery.EndpointHints) -> list[str]:
    return [each.name for each in hints.for_nodes]


def _zones_of(hints: discovery.EndpointHints) -> list[str]:
    return [each.name for each in hints.for_zones]


def _usable(pairs: Sequence[tuple[discovery.Endpoint, Target]]) -> tuple[Target, ...]:
    ready = {target for endpoint, target in pairs if _is_ready(endpoint)}
    return tuple(sorted(ready or {target for endpoint, target in pairs if _serves_while_terminating(endpoint)}))


def _is_ready(endpoint: discovery.Endpoint) -> bool:
    """Unknown counts as ready (EndpointConditions.ready)."""
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def _serves_while_terminating(endpoint: discovery.Endpoint) -> bool:
    conditions = endpoint.conditions
    return conditions is not None and conditions.serving is True and conditions.terminating is True
