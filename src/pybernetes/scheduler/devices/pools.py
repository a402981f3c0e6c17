"""The devices that drivers offer, as pools: what of each pool a node can reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import resource_v1 as resource
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.node_selector import matches_term

PoolId = tuple[str, str]
"""(driver, pool)"""

DeviceId = tuple[str, str, str]
"""(driver, pool, device)"""

Taken = Mapping[PoolId, Collection[DeviceId]]

Judged = dict[tuple[str, str], bool]
"""(device, selector) -> whether it holds. A selector is CEL, and decision after decision asks it of each node."""

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
    judged: Judged = field(default_factory=dict)


class Offer(Struct, frozen=True, eq=False):
    """What is known of a pool whatever the node: the slices of its newest generation, and what they say together."""

    slices: Sequence[resource.ResourceSlice]
    counters: Counters
    consumption: dict[str, Counters]
    valid: bool
    judged: Judged = field(default_factory=dict)

    def on(self, id_: PoolId, node: NodeState) -> Pool | None:
        """What of it the node can reach; None if that is nothing."""
        candidates = tuple(one for piece in self.slices for one in _reachable(piece, node))
        if not candidates:
            return None
        if len(self.slices) != self.slices[0].spec.pool.resource_slice_count:
            return Pool(id_, complete=False)
        return Pool(id_, candidates, self.counters, self.consumption, valid=self.valid, judged=self.judged)


class Pools:
    """All pools, as their slices tell. A node is asked about those alone that it may reach: most are of one node each."""

    def __init__(self) -> None:
        self._slices: defaultdict[PoolId, dict[str, resource.ResourceSlice]] = defaultdict(dict)
        self._offers: dict[PoolId, Offer] = {}
        self._of_node: defaultdict[str, set[PoolId]] = defaultdict(set)
        """The pools with a slice for a node; "" stands for those that say in another way where they are."""

    def set_slice(self, old: resource.ResourceSlice | None, new: resource.ResourceSlice | None) -> None:
        for piece in (old, new):
            if piece is not None:
                self._forget(_pool_of(piece))
        if old is not None:
            self._slices[_pool_of(old)].pop(old.metadata.name or "", None)
        if new is not None:
            self._slices[_pool_of(new)][new.metadata.name or ""] = new
        for piece in (old, new):
            if piece is not None:
                self._note(_pool_of(piece))

    def of(self, node: NodeState) -> list[Pool]:
        """Those of which the node can reach anything, in the order of their names."""
        near = self._of_node.get(node.name, set()) | self._of_node.get("", set())
        found = (self._offer(id_).on(id_, node) for id_ in sorted(near))
        return [pool for pool in found if pool is not None]

    def _forget(self, id_: PoolId) -> None:
        self._offers.pop(id_, None)
        for piece in self._slices[id_].values():
            self._of_node[piece.spec.node_name or ""].discard(id_)

    def _note(self, id_: PoolId) -> None:
        for piece in self._slices[id_].values():
            self._of_node[piece.spec.node_name or ""].add(id_)
        if not self._slices[id_]:
            del self._slices[id_]

    def _offer(self, id_: PoolId) -> Offer:
        found = self._offers.get(id_)
        if found is None:
            found = self._offers[id_] = _offer(self._slices[id_].values())
        return found


def _pool_of(piece: resource.ResourceSlice) -> PoolId:
    return (piece.spec.driver, piece.spec.pool.name)


def _offer(slices: Collection[resource.ResourceSlice]) -> Offer:
    newest = max(piece.spec.pool.generation for piece in slices)
    current = sorted(
        (piece for piece in slices if piece.spec.pool.generation == newest), key=lambda piece: piece.metadata.name or ""
    )
    devices = [device for piece in current for device in piece.spec.devices]
    return Offer(
        current,
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
