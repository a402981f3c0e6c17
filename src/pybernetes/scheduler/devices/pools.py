"""The devices that drivers offer, as pools: what of each pool a node can reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import resource_v1 as resource
from pybernetes.scheduler.devices.world import DeviceId, PoolId, Slices
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins.node_affinity import matches_term

Counters = dict[tuple[str, str], int]
"""(set, counter) -> billionths"""


class Candidate(Struct, frozen=True, eq=False):
    """A device that a node can reach, with where that is from."""

    id: DeviceId
    device: resource.Device
    node_name: str | None
    node_selector: core.NodeSelector | None


class Pool(Struct, frozen=True, eq=False):
    """`complete`: all its slices are known. `valid`: each device is there once."""

    id: PoolId
    candidates: tuple[Candidate, ...] = ()
    counters: Counters = field(default_factory=dict)
    """What devices that are parts of one share."""
    consumption: dict[str, Counters] = field(default_factory=dict)
    """What each device of the pool takes of it, also those that the node cannot reach."""
    complete: bool = True
    valid: bool = True


def pools_of(node: NodeState, slices: Slices) -> list[Pool]:
    """Those of which the node can reach anything, of the newest generation, in the order of their names."""
    found = (_pool(name, pieces.values(), node) for name, pieces in sorted(slices.items()))
    return [pool for pool in found if pool is not None]


def _pool(name: PoolId, slices: Iterable[resource.ResourceSlice], node: NodeState) -> Pool | None:
    newest = max(piece.spec.pool.generation for piece in slices)
    current = sorted(
        (piece for piece in slices if piece.spec.pool.generation == newest), key=lambda piece: piece.metadata.name or ""
    )
    candidates = tuple(one for piece in current for one in _reachable(piece, node))
    if not candidates:
        return None
    if len(current) != current[0].spec.pool.resource_slice_count:
        return Pool(name, complete=False)
    devices = [device for piece in current for device in piece.spec.devices]
    return Pool(
        name,
        candidates,
        _counters((one.name, one.counters) for piece in current for one in piece.spec.shared_counters),
        {
            device.name: _counters((one.counter_set, one.counters) for one in device.consumes_counters)
            for device in devices
            if device.consumes_counters
        },
        valid=len({device.name for device in devices}) == len(devices),
    )


def _counters(sets: Iterable[tuple[str, Mapping[str, resource.Counter]]]) -> Counters:
    return {
        (name, counter): Quantity.parse(amount.value).nanos
        for name, counters in sets
        for counter, amount in counters.items()
    }


def _reachable(piece: resource.ResourceSlice, node: NodeState) -> Iterable[Candidate]:
    """A slice says where its devices are, or leaves it to each of them."""
    spec = piece.spec
    whole = spec.per_device_node_selection is not True
    if whole and not _reaches(spec, node):
        return
    for device in spec.devices:
        place = spec if whole else device
        if whole or _reaches(device, node):
            yield Candidate((spec.driver, spec.pool.name, device.name), device, place.node_name, place.node_selector)


def _reaches(place: resource.ResourceSliceSpec | resource.Device, node: NodeState) -> bool:
    if place.all_nodes or (place.node_name and place.node_name == node.name):
        return True
    selector = place.node_selector
    return selector is not None and any(matches_term(term, node) for term in selector.node_selector_terms)
