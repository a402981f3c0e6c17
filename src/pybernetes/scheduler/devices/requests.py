"""What claims ask for, as the search goes through it: one entry per request, with its alternatives in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from pybernetes.api.types import resource_v1 as resource
from pybernetes.scheduler.devices.matching import AllocationError, is_selected
from pybernetes.scheduler.devices.pools import Candidate, Pool

MAX_RESULTS = 32
"""Of one claim."""


class Wanted(Struct, frozen=True, eq=False):
    """One way to fulfil a request: all that has to be so of each of its devices."""

    claim: int
    request: str
    name: str
    """As the request, or `request/subrequest`."""
    device_class: resource.DeviceClass
    candidates: tuple[Candidate, ...]
    """The devices that are selected, taken or not."""
    count: int
    tolerations: Sequence[resource.DeviceToleration]
    admin: bool = False

    def is_meant(self, names: Sequence[str]) -> bool:
        """Whether a constraint or a configuration is about it; without names it is about all."""
        return not names or self.request in names or self.name in names


Ask = resource.ExactDeviceRequest | resource.DeviceSubRequest


def requests_of(
    number: int, claim: resource.ResourceClaim, classes: Mapping[str, resource.DeviceClass], pools: Sequence[Pool]
) -> list[tuple[Wanted, ...]]:
    """The alternatives of each request. Raises AllocationError if it cannot be fulfilled, or judged, here."""
    key = f"claim {claim.metadata.namespace}/{claim.metadata.name}"
    found = []
    for request in claim.spec.devices.requests if claim.spec.devices else []:
        alternatives = (
            _wanted(number, key, request.name, name, ask, classes, pools) for name, ask in alternatives_of(request)
        )
        found.append(tuple(alternatives))
    least = sum(min(wanted.count for wanted in alternatives) for alternatives in found)
    if least > MAX_RESULTS:
        raise AllocationError(f"{key}: number of requested devices {least} exceeds the claim limit of {MAX_RESULTS}")
    return found


def alternatives_of(request: resource.DeviceRequest) -> Iterator[tuple[str, Ask]]:
    """The names of the ways to fulfil a request, and what each asks for."""
    if request.exactly is not None:
        yield request.name, request.exactly
    for each in request.first_available:
        yield f"{request.name}/{each.name}", each


def _wanted(
    number: int, key: str, request: str, name: str, ask: Ask, classes: Mapping[str, resource.DeviceClass],
    pools: Sequence[Pool],
) -> Wanted:  # fmt: skip
    found = classes.get(ask.device_class_name)
    if found is None:
        raise AllocationError(f"request {name}: device class {ask.device_class_name} does not exist")
    takes_all = ask.allocation_mode == "All"
    for pool in pools if takes_all else ():
        if not (pool.complete and pool.valid):
            state = "invalid" if pool.complete else "being updated"
            raise AllocationError(
                f"{key}, request {name}: asks for all devices, but resource pool {'/'.join(pool.id)} is currently {state}"
            )
    candidates = tuple(
        candidate
        for pool in pools
        if pool.valid
        for candidate in pool.candidates
        if is_selected(candidate, found.spec.selectors, f"class {found.metadata.name}", pool.judged)
        and is_selected(candidate, ask.selectors, key, pool.judged)
    )
    count = len(candidates) if takes_all else (ask.count or 1)
    admin = isinstance(ask, resource.ExactDeviceRequest) and ask.admin_access is True
    # All of none is not there.
    return Wanted(number, request, name, found, candidates, max(count, 1), ask.tolerations, admin)
