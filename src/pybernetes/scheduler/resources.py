"""Amounts of resources as whole numbers: cpu in thousandths, everything else in units (bytes, pods)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1 as core

Amounts = dict[str, int]

DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container without requests counts for in scores, so that such pods spread too."""


def amount(name: str, quantity: str | int | float) -> int:
    parsed = Quantity.parse(quantity)
    return parsed.milli_value if name == "cpu" else parsed.value


def amounts(quantities: Mapping[str, str | int | float]) -> Amounts:
    return {name: amount(name, quantity) for name, quantity in quantities.items()}


def add(into: Amounts, other: Mapping[str, int]) -> None:
    for name, number in other.items():
        into[name] = into.get(name, 0) + number


def largest(into: Amounts, other: Mapping[str, int]) -> None:
    for name, number in other.items():
        into[name] = max(into.get(name, 0), number)


def pod_requests(spec: core.PodSpec, *, defaulted: bool = False) -> Amounts:
    """What a pod needs of its node at most at any time (KEP-753): containers and sidecars run together, init
    containers one after the other beside the sidecars before them. `defaulted` gives containers without requests
    a share for scoring.
    """
    running = _sum((_requests(container, defaulted) for container in spec.containers), {})
    starting: Amounts = {}
    sidecars: Amounts = {}
    for container in spec.init_containers:
        need = _requests(container, defaulted)
        if container.restart_policy == "Always":
            add(running, need)
            add(sidecars, need)
            largest(starting, sidecars)
        else:
            largest(starting, _sum([sidecars, need], {}))
    largest(running, starting)
    if spec.resources and spec.resources.requests:
        running.update(amounts(spec.resources.requests))
    add(running, amounts(spec.overhead))
    return running


def _requests(container: core.Container, defaulted: bool) -> Amounts:
    found = amounts(container.resources.requests) if container.resources else {}
    if defaulted:
        found.setdefault("cpu", DEFAULT_MILLI_CPU)
        found.setdefault("memory", DEFAULT_MEMORY)
    return found


def _sum(parts: Iterable[Mapping[str, int]], start: Amounts) -> Amounts:
    total = dict(start)
    for part in parts:
        add(total, part)
    return total
