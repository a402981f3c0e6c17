"""Which endpoints of a service get its traffic: one rule for everything that sends some. Pure.

Ready endpoints; if there are none, those that terminate but still serve (KEP-1669).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class Target(Struct, frozen=True, order=True):
    """Where traffic ends: a pod's address and port."""

    address: str
    port: int


def service_of(slice: discovery.EndpointSlice) -> str:
    """`namespace/name` of the service that a slice belongs to: for an informer's index."""
    return f"{slice.metadata.namespace}/{slice.metadata.labels.get(SERVICE_NAME_LABEL, '')}"


def targets_of(
    port: v1.ServicePort, slices: Iterable[discovery.EndpointSlice], node_name: str
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """The IPv4 targets of a service port for the whole cluster, and those on a node; each once, sorted."""
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
    return _usable(every), _usable(here)


def ready_on(slices: Iterable[discovery.EndpointSlice], node_name: str) -> int:
    """How many ready endpoints a service has on a node, whatever its ports."""
    here = (each for slice in slices for each in slice.endpoints if each.node_name == node_name and _is_ready(each))
    return len({endpoint.addresses[0] for endpoint in here if endpoint.addresses})


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
