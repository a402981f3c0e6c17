"""Claims, classes and slices, those allocations included that were just decided and are not yet written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from pybernetes.api.types import resource_v1 as resource
from pybernetes.scheduler.devices.pools import DeviceId, PoolId, Pools, Taken

ClaimKey = tuple[str, str]
"""(namespace, name)"""

Allocations = Mapping[ClaimKey, resource.AllocationResult]
"""What has to be written before the pod is bound."""


class Devices(Struct):
    """Mutable, as the informers tell; `pending` is what decisions have given to claims."""

    claims: dict[ClaimKey, resource.ResourceClaim] = field(default_factory=dict)
    classes: dict[str, resource.DeviceClass] = field(default_factory=dict)
    pools: Pools = field(default_factory=Pools)
    pending: dict[ClaimKey, resource.AllocationResult] = field(default_factory=dict)
    _taken: defaultdict[PoolId, set[DeviceId]] | None = None
    """Of `taken`, for it is asked of each node; None once a claim has changed."""

    def set_claim(self, old: resource.ResourceClaim | None, new: resource.ResourceClaim | None) -> None:
        self._taken = None
        if new is not None:
            self.claims[_key(new)] = new
        elif old is not None:
            self.claims.pop(_key(old), None)

    def set_class(self, old: resource.DeviceClass | None, new: resource.DeviceClass | None) -> None:
        if new is not None:
            self.classes[new.metadata.name or ""] = new
        elif old is not None:
            self.classes.pop(old.metadata.name or "", None)

    def set_slice(self, old: resource.ResourceSlice | None, new: resource.ResourceSlice | None) -> None:
        self.pools.set_slice(old, new)

    def taken(self) -> Taken:
        """The devices that claims have for themselves; who has admin access takes nothing from others."""
        if self._taken is None:
            self._taken = defaultdict(set)
            for allocation in self._allocations():
                for result in allocation.devices.results if allocation.devices else []:
                    if not result.admin_access:
                        self._taken[result.driver, result.pool].add((result.driver, result.pool, result.device))
        return self._taken

    def _allocations(self) -> Iterator[resource.AllocationResult]:
        yield from self.pending.values()
        for claim in self.claims.values():
            if claim.status.allocation is not None:
                yield claim.status.allocation

    def assume(self, allocations: Allocations) -> None:
        self._taken = None
        self.pending.update(allocations)

    def release(self, allocations: Allocations) -> None:
        """They are written, or will not be."""
        self._taken = None
        for key in allocations:
            self.pending.pop(key, None)


def _key(claim: resource.ResourceClaim) -> ClaimKey:
    return (claim.metadata.namespace or "", claim.metadata.name or "")
