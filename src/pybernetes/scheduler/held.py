"""What the containers of a placed pod have of their node while they change (KEP-1287)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec.structs import replace

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.resources import Amounts, amounts, largest

Requests: TypeAlias = Mapping[str, str | int | float]


def held(pod: core.Pod) -> core.PodSpec:
    """The spec, asking for what is taken: a pod that shrinks has what it had until its node says otherwise, and one
    that cannot grow takes no more than it has.
    """
    spec, status = pod.spec, pod.status
    if not status.container_statuses:
        return spec
    told = {one.name: one for one in (*status.container_statuses, *status.init_container_statuses)}
    cannot_grow = any(one.type == "PodResizePending" and one.reason == "Infeasible" for one in status.conditions)
    containers = [_held(one, told.get(one.name), cannot_grow) for one in spec.containers]
    init_containers = [_held(one, told.get(one.name), cannot_grow) for one in spec.init_containers]
    resources = spec.resources
    if resources and resources.requests:  # of the pod as a whole (KEP-5419)
        has = [status.allocated_resources, status.resources.requests if status.resources else {}]
        resources = _with_requests(resources, _taken(resources.requests, has, cannot_grow))
    unchanged = resources is spec.resources and all(
        one is other
        for one, other in zip((*containers, *init_containers), (*spec.containers, *spec.init_containers), strict=True)
    )
    if unchanged:
        return spec
    return replace(spec, containers=containers, init_containers=init_containers, resources=resources)


def _held(container: core.Container, status: core.ContainerStatus | None, cannot_grow: bool) -> core.Container:
    if status is None:
        return container
    asked = container.resources or core.ResourceRequirements()
    has = [status.allocated_resources, status.resources.requests if status.resources else {}]
    resources = _with_requests(asked, _taken(asked.requests, has, cannot_grow))
    return container if resources is asked else replace(container, resources=resources)


def _taken(asked: Requests, has: Iterable[Requests], cannot_grow: bool) -> Amounts | None:
    """None if that is what is asked for."""
    different = [one for one in has if one and one != asked]
    if not different:
        return None
    found: Amounts = {} if cannot_grow else amounts(asked)
    for one in different:
        largest(found, amounts(one))
    return None if found == amounts(asked) else found


def _with_requests(resources: core.ResourceRequirements, taken: Amounts | None) -> core.ResourceRequirements:
    if taken is None:
        return resources
    return replace(resources, requests={name: f"{n}m" if name == "cpu" else str(n) for name, n in taken.items()})
