"""Devices for claims on one node: the first choice in which all requests and constraints are fulfilled. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import resource_v1 as resource
from pybernetes.scheduler.devices.matching import AllocationError, attribute_of, is_tolerated
from pybernetes.scheduler.devices.pools import Candidate, DeviceId, Pool, PoolId, Taken
from pybernetes.scheduler.devices.requests import MAX_RESULTS, Wanted, requests_of

MAX_TRIES: Final = 50_000
"""Devices that one search looks at. There can be more combinations than anybody can wait for: upstream ends a search after
ten seconds in a thread of its own; ours, which others wait for, after some tenths of one."""


class Choice(Struct, frozen=True, eq=False):
    """A device for a request."""

    wanted: Wanted
    candidate: Candidate


def allocate(
    claims: Sequence[resource.ResourceClaim],
    classes: Mapping[str, resource.DeviceClass],
    pools: Sequence[Pool],
    taken: Taken,
) -> list[resource.AllocationResult] | None:
    """A result for each claim; None if there are not enough devices.

    Raises AllocationError for what cannot be judged, TimeoutError if that would take too long.
    """
    requests = [one for number, claim in enumerate(claims) for one in requests_of(number, claim, classes, pools)]
    search = _Search(claims, requests, pools, taken)
    if search.fill(0):
        return [_result(claim, [c for c in search.chosen if c.wanted.claim == n]) for n, claim in enumerate(claims)]
    if not all(pool.valid for pool in pools):
        raise AllocationError("invalid resource pools were encountered")
    return None


class _Search:
    """Tries request after request, alternative after alternative, device after device, and takes back what leads nowhere."""

    def __init__(
        self,
        claims: Sequence[resource.ResourceClaim],
        requests: Sequence[tuple[Wanted, ...]],
        pools: Sequence[Pool],
        taken: Taken,
    ) -> None:
        self._constraints = [claim.spec.devices.constraints if claim.spec.devices else [] for claim in claims]
        self._requests = requests
        self._pools = {pool.id: pool for pool in pools}
        self._taken = {device for id_ in self._pools for device in taken.get(id_, ())}
        self._used: defaultdict[tuple[PoolId, tuple[str, str]], int] = defaultdict(int)
        """Of the counters that the devices of a pool share, kept up to date: there are far more tries than devices."""
        for device in self._taken:
            self._use(device, 1)
        self._tries = 0
        self.chosen: list[Choice] = []

    def fill(self, position: int) -> bool:
        """Whether all requests from `position` on can be fulfilled beside what is chosen."""
        if position == len(self._requests):
            return True
        return any(self._pick(wanted, wanted.count, 0, position) for wanted in self._requests[position])

    def _pick(self, wanted: Wanted, left: int, start: int, position: int) -> bool:
        """Choose `left` more devices for a request, of those from `start` on, then go on with the next request."""
        if not left:
            return self.fill(position + 1)
        for index in range(start, len(wanted.candidates) - left + 1):
            self._tries += 1
            if self._tries > MAX_TRIES:
                raise TimeoutError
            choice = Choice(wanted, wanted.candidates[index])
            if not self._is_possible(choice):
                continue
            self._add(choice)
            if self._pick(wanted, left - 1, index + 1, position):
                return True
            self._drop(choice)
        return False

    def _add(self, choice: Choice) -> None:
        self.chosen.append(choice)
        if not choice.wanted.admin:
            self._taken.add(choice.candidate.id)
            self._use(choice.candidate.id, 1)

    def _drop(self, choice: Choice) -> None:
        self.chosen.pop()
        if not choice.wanted.admin:
            self._taken.discard(choice.candidate.id)
            self._use(choice.candidate.id, -1)

    def _is_possible(self, choice: Choice) -> bool:
        wanted, candidate = choice.wanted, choice.candidate
        mine = [one for one in self.chosen if one.wanted.claim == wanted.claim]
        return (
            len(mine) < MAX_RESULTS
            and (wanted.admin or (candidate.id not in self._taken and self._has_counters(candidate)))
            and is_tolerated(candidate.device.taints, wanted.tolerations)
            and all(_keeps(one, mine, choice) for one in self._constraints[wanted.claim])
        )

    def _use(self, device: DeviceId, sign: int) -> None:
        """Take what the device consumes of the counters of its pool, or give it back."""
        where = device[:2]
        for counter, needed in self._pools[where].consumption.get(device[2], {}).items():
            self._used[where, counter] += sign * needed

    def _has_counters(self, candidate: Candidate) -> bool:
        """Whether the pool has as much left as the device takes of what it shares with others."""
        where = candidate.id[:2]
        pool = self._pools[where]
        return all(
            self._used[where, counter] + needed <= pool.counters.get(counter, 0)
            for counter, needed in pool.consumption.get(candidate.id[2], {}).items()
        )


def _keeps(constraint: resource.DeviceConstraint, chosen: Sequence[Choice], choice: Choice) -> bool:
    """Whether the devices that a constraint is about have one value of an attribute, or each another."""
    if not choice.wanted.is_meant(constraint.requests):
        return True
    name = constraint.match_attribute or constraint.distinct_attribute or ""
    value = attribute_of(choice.candidate, name)
    others = [attribute_of(one.candidate, name) for one in chosen if one.wanted.is_meant(constraint.requests)]
    if value is None:
        return False
    return value not in others if constraint.distinct_attribute else all(other == value for other in others)


def _result(claim: resource.ResourceClaim, choices: Sequence[Choice]) -> resource.AllocationResult:
    results = [
        resource.DeviceRequestAllocationResult(
            request=choice.wanted.name,
            driver=choice.candidate.id[0],
            pool=choice.candidate.id[1],
            device=choice.candidate.id[2],
            admin_access=choice.wanted.admin or None,
            tolerations=list(choice.wanted.tolerations),
        )
        for choice in choices
    ]
    devices = resource.DeviceAllocationResult(results=results, config=_configuration(claim, choices))
    return resource.AllocationResult(devices=devices, node_selector=_node_selector(choices))


def _configuration(
    claim: resource.ResourceClaim, choices: Sequence[Choice]
) -> list[resource.DeviceAllocationConfiguration]:
    """What the classes say, each once and for the requests that use it, then what the claim says of what was chosen."""
    users: dict[str, list[str]] = {}
    classes = {}
    wanted = list(dict.fromkeys(choice.wanted for choice in choices))
    for one in wanted:
        name = one.device_class.metadata.name or ""
        classes[name] = one.device_class
        users.setdefault(name, []).append(one.name)
    found = [
        resource.DeviceAllocationConfiguration(source="FromClass", requests=users[name], opaque=each.opaque)
        for name, device_class in classes.items()
        for each in device_class.spec.config
    ]
    for given in claim.spec.devices.config if claim.spec.devices else []:
        if not given.requests or any(one.is_meant(given.requests) for one in wanted):
            found.append(
                resource.DeviceAllocationConfiguration(source="FromClaim", requests=given.requests, opaque=given.opaque)
            )
    return found


def _node_selector(choices: Sequence[Choice]) -> core.NodeSelector | None:
    """The nodes that reach all the devices; None for every node."""
    term = core.NodeSelectorTerm()
    for choice in choices:
        if name := choice.candidate.node_name:
            only = core.NodeSelectorRequirement(key="metadata.name", operator="In", values=[name])
            return core.NodeSelector(node_selector_terms=[core.NodeSelectorTerm(match_fields=[only])])
        selector = choice.candidate.node_selector
        for other in selector.node_selector_terms if selector else []:
            fields = [one for one in other.match_fields if one not in term.match_fields]
            labels = [one for one in other.match_expressions if one not in term.match_expressions]
            term = core.NodeSelectorTerm(
                match_fields=[*term.match_fields, *fields], match_expressions=[*term.match_expressions, *labels]
            )
    return core.NodeSelector(node_selector_terms=[term]) if term.match_fields or term.match_expressions else None
