"""Which zones and nodes an endpoint is meant for: hints that proxies go by. Pure. Only ready endpoints have any.

`spec.trafficDistribution` (KEP-4444, KEP-3015) means each endpoint for its own zone, or for its node first. The older
annotation `topology-mode: Auto` (KEP-2433) goes before it: endpoints are shared out so that each zone has about as many
of them as it has CPUs, and none has hints where that cannot be done.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pybernetes.api.endpoints import ZONE_LABEL
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.controllers.node.health import condition

_MODES: Final = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
_LEFT_OUT: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_OVERLOAD: Final = 0.2
"""How much more than its share of the traffic an endpoint may get."""

Endpoint = discovery_v1.Endpoint


class Unshared(Exception):
    """Endpoints cannot be shared out; the words are those of upstream's event."""


def is_shared_out(service: core_v1.Service) -> bool:
    """Whether the annotation asks for it; the oldest name of it counts first."""
    annotations = service.metadata.annotations
    return next((annotations[name] for name in _MODES if name in annotations), "") in ("Auto", "auto")


def uses_hints(service: core_v1.Service) -> bool:
    return service.spec.traffic_distribution in _DISTRIBUTIONS or is_shared_out(service)


def own_hints(endpoint: Endpoint, distribution: str | None) -> Endpoint:
    """With what `trafficDistribution` makes of where the endpoint is."""
    if distribution not in _DISTRIBUTIONS or not _is_ready(endpoint):
        return endpoint
    zones = [discovery_v1.ForZone(name=endpoint.zone)] if endpoint.zone else []
    nodes = [discovery_v1.ForNode(name=endpoint.node_name)] if endpoint.node_name else []
    found = discovery_v1.EndpointHints(for_zones=zones, for_nodes=nodes if distribution == "PreferSameNode" else [])
    return msgspec.structs.replace(endpoint, hints=found) if found.for_zones or found.for_nodes else endpoint


def place_of(node: core_v1.Node) -> tuple[str, int]:
    """A node's zone and what it counts for in CPUs (thousandths): nothing if it is not ready or left out."""
    labels, ready = node.metadata.labels, condition(node, "Ready")
    if ready is None or ready.status != "True" or any(name in labels for name in _LEFT_OUT):
        return "", -1
    return labels.get(ZONE_LABEL, ""), Quantity.parse(node.status.allocatable.get("cpu", "0")).milli_value


def shares_of(nodes: Iterable[core_v1.Node]) -> dict[str, float]:
    """The part of all CPUs that each zone has; Unshared unless all nodes that count have a zone and CPUs."""
    cpus: Counter[str] = Counter()
    for zone, cpu in map(place_of, nodes):
        if not cpu or (cpu > 0 and not zone):
            cpus.clear()
            break
        if cpu > 0:
            cpus[zone] += cpu
    if len(cpus) < 2:
        raise Unshared("Insufficient Node information: allocatable CPU or zone not specified on one or more nodes")
    return {zone: cpu / cpus.total() for zone, cpu in cpus.items()}


def shared_out(endpoints: Sequence[Endpoint], shares: Mapping[str, float]) -> list[Endpoint]:
    """With hints by the zones' shares: each for its own zone, but for those that a zone has too many of."""
    ready = [endpoint for endpoint in endpoints if _is_ready(endpoint)]
    wanted = _wanted(len(ready), shares)
    if any(not endpoint.zone for endpoint in ready):
        raise Unshared("One or more endpoints do not have a zone specified")
    moves = _moves(Counter(endpoint.zone or "" for endpoint in ready), wanted)
    made = []
    for endpoint in endpoints:
        if _is_ready(endpoint):
            away = moves.get(endpoint.zone or "")
            zones = [discovery_v1.ForZone(name=away.pop() if away else endpoint.zone or "")]
            endpoint = msgspec.structs.replace(endpoint, hints=discovery_v1.EndpointHints(for_zones=zones))
        made.append(endpoint)
    return made


def _wanted(count: int, shares: Mapping[str, float]) -> dict[str, float]:
    """How many endpoints each zone should have; Unshared where one would have too few."""
    counted = f"({count} endpoints, {len(shares)} zones)"
    if len(shares) > count:
        raise Unshared(f"Insufficient number of endpoints {counted}")
    least = {zone: math.ceil(share * count / (1 + _OVERLOAD)) for zone, share in shares.items()}
    if sum(least.values()) > count:
        reason = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
        raise Unshared(f"{reason} {counted}")
    return {zone: max(share * count, least[zone]) for zone, share in shares.items()}


def _moves(present: Mapping[str, int], wanted: Mapping[str, float]) -> dict[str, list[str]]:
    """For each zone with too many endpoints the zones that get some of them, while at least half an endpoint is
    missing here and too many there, and a whole one on one side."""
    over = {zone: present.get(zone, 0) - want for zone, want in sorted(wanted.items())}
    moves: dict[str, list[str]] = {}
    while True:
        giving, receiving = max(over, key=over.__getitem__), min(over, key=over.__getitem__)
        much, little = over[giving], -over[receiving]
        if min(much, little) < 0.5 or max(much, little) < 1:
            return moves
        moves.setdefault(giving, []).append(receiving)
        over[giving] -= 1
        over[receiving] += 1


def _is_ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions is not None and endpoint.conditions.ready is True
