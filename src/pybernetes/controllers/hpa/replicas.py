"""How many replicas one metric asks for: upstream's replica calculator. Pure.

Amounts are thousandths (of a core, of a byte), as upstream reckons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec import Struct, field

from pybernetes.api.quantity import Quantity
from pybernetes.api.time import parse_time
from pybernetes.api.types import core_v1
from pybernetes.controllers import pods as podstate

CPU: Final = "cpu"


class MetricError(Exception):
    """Why a metric gives no number of replicas, in upstream's words."""


class Reading(Struct, frozen=True):
    """What a pod uses on average over `window` seconds until `time`."""

    value: int
    time: datetime
    window: float


class Tolerance(Struct, frozen=True):
    """By how much the ratio may be off before anything is done."""

    down: float = 0.1
    up: float = 0.1

    def holds(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Readiness(Struct, frozen=True):
    """For how long (seconds) a pod's CPU usage is that of its start."""

    cpu_initialization: float = 300.0
    initial_delay: float = 30.0


class Groups(Struct):
    """The pods by what their metrics are worth."""

    ready: int = 0
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)


class Proposal(Struct, frozen=True):
    """A number of replicas, and the usage that it was made of: per cent of the requests, average per pod."""

    replicas: int
    utilization: int | None
    average: int


class Measured(Struct, frozen=True):
    """How far usage is off its target (1.0: exact), and the usage itself as in `Proposal`."""

    ratio: float
    utilization: int | None
    average: int


Values: TypeAlias = dict[str, int]
Measure: TypeAlias = Callable[[Values], Measured]


class Situation(Struct, frozen=True):
    """What a decision starts from: the target's pods, what was read of them, and how many there are to be now."""

    current: int
    pods: Sequence[core_v1.Pod]
    readings: Mapping[str, Reading]
    resource: str
    now: datetime
    tolerance: Tolerance = field(default_factory=Tolerance)
    readiness: Readiness = field(default_factory=Readiness)
    running: int = 0
    """How many there are, as the target's status has it."""


def by_utilization(situation: Situation, target: int, container: str = "") -> Proposal:
    """For a target in per cent of the requests. Raises MetricError."""
    values, groups = _usable(situation)
    requests = requests_of(situation.pods, situation.resource, container)
    fallback = {name: request * max(100, target) // 100 for name, request in requests.items()}
    return _decide(situation, values, groups, fallback, lambda taken: utilization_ratio(taken, requests, target))


def by_average(situation: Situation, target: int) -> Proposal:
    """For a target per pod, in thousandths. Raises MetricError."""
    values, groups = _usable(situation)
    fallback = dict.fromkeys(groups.missing, target)
    return _decide(situation, values, groups, fallback, lambda taken: average_ratio(taken, target))


def by_value(situation: Situation, used: int, target: int) -> Proposal:
    """For one number that the pods answer for together. Raises MetricError."""
    ratio = used / target
    if situation.current == 0:
        return Proposal(math.ceil(ratio), None, used)
    if situation.tolerance.holds(ratio):
        return Proposal(situation.current, None, used)
    if not situation.pods:
        raise MetricError(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count"
        )
    ready = sum(pod.status.phase == "Running" and podstate.is_ready(pod) for pod in situation.pods)
    return Proposal(math.ceil(ratio * ready), None, used)


def by_total(situation: Situation, used: int, target: int) -> Proposal:
    """For a number that is shared out over the pods, `target` for each."""
    running = situation.running
    off = running == 0 or not situation.tolerance.holds(used / (target * running))
    replicas = math.ceil(used / target) if off else running
    return Proposal(replicas, None, math.ceil(used / running) if running else 0)


def _usable(situation: Situation) -> tuple[Values, Groups]:
    if not situation.pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    groups = group_pods(situation)
    left_out = groups.ignored | groups.unready
    values = {name: one.value for name, one in situation.readings.items() if name not in left_out}
    if not values:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    return values, groups


def group_pods(situation: Situation) -> Groups:
    """Pods that go do not count, those that start are not believed, those without metrics are guessed at."""
    groups = Groups()
    for pod in situation.pods:
        name = pod.metadata.name or ""
        reading = situation.readings.get(name)
        if pod.metadata.deletion_timestamp is not None or pod.status.phase == "Failed":
            groups.ignored.add(name)
        elif pod.status.phase == "Pending":
            groups.unready.add(name)
        elif reading is None:
            groups.missing.add(name)
        elif situation.resource == CPU and _is_starting(pod, reading, situation):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _is_starting(pod: core_v1.Pod, reading: Reading, situation: Situation) -> bool:
    ready = podstate.condition(pod, "Ready")
    if ready is None or not pod.status.start_time or not ready.last_transition_time:
        return True
    start, changed = parse_time(pod.status.start_time), parse_time(ready.last_transition_time)
    if start + timedelta(seconds=situation.readiness.cpu_initialization) > situation.now:
        # All of the window has to lie behind the moment at which the pod became ready.
        return ready.status == "False" or reading.time < changed + timedelta(seconds=reading.window)
    never_ready = start + timedelta(seconds=situation.readiness.initial_delay) > changed
    return ready.status == "False" and never_ready


def _decide(situation: Situation, values: Values, groups: Groups, fallback: Values, measure: Measure) -> Proposal:
    """First by what was read; where pods are missing or start, again with what they are taken to use."""
    current, tolerance = situation.current, situation.tolerance
    first = measure(values)

    def proposal(replicas: int) -> Proposal:
        return Proposal(replicas, first.utilization, first.average)

    counts_unready = bool(groups.unready) and first.ratio > 1.0
    if not counts_unready and not groups.missing:
        within = tolerance.holds(first.ratio)
        return proposal(current if within else math.ceil(first.ratio * groups.ready))
    # Guesses are such that they only damp the change, whichever way it goes.
    guessed = dict(values)
    if first.ratio < 1.0:
        guessed |= {name: fallback[name] for name in groups.missing}
    elif first.ratio > 1.0:
        guessed |= dict.fromkeys(groups.missing, 0)
    if counts_unready:
        guessed |= dict.fromkeys(groups.unready, 0)
    second = measure(guessed).ratio
    turned = (first.ratio < 1.0 < second) or (second < 1.0 < first.ratio)
    if tolerance.holds(second) or turned:
        return proposal(current)
    wanted = math.ceil(second * len(guessed))
    if (second < 1.0 and wanted > current) or (second > 1.0 and wanted < current):
        return proposal(current)
    return proposal(wanted)


def requests_of(pods: Sequence[core_v1.Pod], resource: str, container: str = "") -> Values:
    """What each pod requests: as a whole where it says so, else in all its containers, or in one. Raises MetricError if
    any does not say.
    """
    found: Values = {}
    for pod in pods:
        whole = pod.spec.resources.requests if pod.spec.resources is not None else {}
        request = _of_containers(pod, resource, container) if container or not whole else _as_a_whole(pod, resource)
        found[pod.metadata.name or ""] = request
    return found


def _as_a_whole(pod: core_v1.Pod, resource: str) -> int:
    """Of a pod with requests of its own (KEP-2837): for what these leave out, its containers may say something."""
    containers = [one.resources.requests for one in _lasting(pod) if one.resources is not None]
    own = pod.spec.resources.requests if pod.spec.resources is not None else {}
    said = [own] if resource in own else [requests for requests in containers if resource in requests]
    if not said:
        raise MetricError(f"missing pod-level request for {resource} in Pod {pod.metadata.name}")
    overhead = Quantity.parse(pod.spec.overhead.get(resource, 0)).milli_value
    return overhead + sum(Quantity.parse(requests[resource]).milli_value for requests in said)


def _of_containers(pod: core_v1.Pod, resource: str, container: str) -> int:
    chosen = [one for one in _lasting(pod) if container in ("", one.name)]
    if container and not chosen:
        raise MetricError(f"container {container} not found in Pod {pod.metadata.name}")
    total = 0
    for one in chosen:
        request = one.resources.requests.get(resource) if one.resources else None
        if request is None:
            raise MetricError(f"missing request for {resource} in container {one.name} of Pod {pod.metadata.name}")
        total += Quantity.parse(request).milli_value
    return total


def _lasting(pod: core_v1.Pod) -> list[core_v1.Container]:
    return [*pod.spec.containers, *(one for one in pod.spec.init_containers if one.restart_policy == "Always")]


def utilization_ratio(values: Values, requests: Values, target: int) -> Measured:
    """Usage of all pods in per cent of their requests, against the target. Raises MetricError."""
    matched = [name for name in values if name in requests]
    requested = sum(requests[name] for name in matched)
    if not requested:
        raise MetricError("no metrics returned matched known pods")
    used = sum(values[name] for name in matched)
    utilization = used * 100 // requested
    return Measured(utilization / target, utilization, used // len(matched))


def average_ratio(values: Values, target: int) -> Measured:
    """Average usage against the target."""
    average = sum(values.values()) // len(values)
    return Measured(average / target, None, average)
