"""How many pods each ReplicaSet of a Deployment should have next: pure functions of what is there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from pybernetes.api.types import apps_v1
from pybernetes.api.types.base import IntOrString
from pybernetes.controllers.deployment.revision import DESIRED_REPLICAS, MAX_REPLICAS, by_age
from pybernetes.wire.numbers import parse_number


class Resize(Struct, frozen=True):
    """Give a set another size (or, with the size that it has, fresh annotations only)."""

    target: apps_v1.ReplicaSet
    replicas: int


class View(Struct, frozen=True):
    """A Deployment with its sets: the one of its present template, if that exists, and all others."""

    deployment: apps_v1.Deployment
    new: apps_v1.ReplicaSet | None
    old: Sequence[apps_v1.ReplicaSet]

    @property
    def all(self) -> list[apps_v1.ReplicaSet]:
        return [*self.old, *([self.new] if self.new is not None else [])]

    @property
    def replicas(self) -> int:
        return replicas_of(self.deployment)

    @property
    def is_rolling(self) -> bool:
        strategy = self.deployment.spec.strategy
        return strategy is None or strategy.type in (None, "RollingUpdate")

    @property
    def surge(self) -> int:
        return fenceposts(self.deployment)[0] if self.is_rolling else 0

    @property
    def unavailable(self) -> int:
        """How many pods may be missing, at most all."""
        if not self.is_rolling or self.replicas == 0:
            return 0
        return min(fenceposts(self.deployment)[1], self.replicas)


def replicas_of(obj: apps_v1.Deployment | apps_v1.ReplicaSet) -> int:
    return 1 if obj.spec.replicas is None else obj.spec.replicas


def available(sets: Sequence[apps_v1.ReplicaSet]) -> int:
    return sum(found.status.available_replicas or 0 for found in sets)


def size(sets: Sequence[apps_v1.ReplicaSet]) -> int:
    return sum(replicas_of(found) for found in sets)


def fenceposts(deployment: apps_v1.Deployment) -> tuple[int, int]:
    """maxSurge (rounded up) and maxUnavailable (rounded down) as numbers; not both 0, or nothing could ever move."""
    replicas = replicas_of(deployment)
    strategy = deployment.spec.strategy
    rolling = strategy.rolling_update if strategy is not None else None
    surge = scaled(rolling.max_surge if rolling else None, replicas, round_up=True)
    missing = scaled(rolling.max_unavailable if rolling else None, replicas, round_up=False)
    return (surge, missing) if surge or missing else (0, 1)


def scaled(value: IntOrString | None, total: int, *, round_up: bool) -> int:
    """A number, or a percentage (25% if None) of `total`."""
    if isinstance(value, int):
        return value
    product = int((value or "25%").removesuffix("%")) * total
    return -(-product // 100) if round_up else product // 100


def is_scaling(view: View) -> bool:
    """Whether the Deployment's size was changed since its sets were last sized."""
    return any(
        replicas_of(found) > 0
        and parse_number(found.metadata.annotations.get(DESIRED_REPLICAS, "")) not in (None, view.replicas)
        for found in view.all
    )


def first_size(view: View) -> int:
    """How many pods a new set may begin with."""
    return _grown(view, 0) if view.is_rolling else view.replicas


def _grown(view: View, current: int) -> int:
    room = view.replicas + view.surge - size(view.all)
    return current + max(0, min(room, view.replicas - current)) if room > 0 else current


def plan_rolling(view: View) -> list[Resize]:
    """The next step of a rolling update: grow the new set if there is room, else shrink old ones."""
    if (new := view.new) is None:
        return []
    current = replicas_of(new)
    if current > view.replicas:
        return [Resize(new, view.replicas)]
    grown = _grown(view, current)
    return [Resize(new, grown)] if grown != current else _plan_shrink(view, new)


def _plan_shrink(view: View, new: apps_v1.ReplicaSet) -> list[Resize]:
    """Take from old sets: first pods that are not available anyway, then as many as availability allows."""
    minimum = view.replicas - view.unavailable
    new_missing = replicas_of(new) - (new.status.available_replicas or 0)
    most = size(view.all) - minimum - new_missing
    if size(view.old) == 0 or most <= 0:
        return []
    sizes = {found.metadata.name: replicas_of(found) for found in view.old}
    ordered = by_age(view.old)
    for found in ordered:
        broken = max(0, sizes[found.metadata.name] - (found.status.available_replicas or 0))
        taken = min(most, broken)
        sizes[found.metadata.name] -= taken
        most -= taken
    spare = available(view.all) - minimum
    for found in ordered:
        taken = max(0, min(spare, sizes[found.metadata.name]))
        sizes[found.metadata.name] -= taken
        spare -= taken
    return [Resize(found, sizes[found.metadata.name]) for found in ordered if _differs(found, sizes)]


def _differs(found: apps_v1.ReplicaSet, sizes: dict[str | None, int]) -> bool:
    return sizes[found.metadata.name] != replicas_of(found)


def plan_scaling(view: View) -> list[Resize]:
    """Follow a changed size: all into the one active set, or spread over several in proportion to their sizes."""
    active = [found for found in view.all if replicas_of(found) > 0]
    if len(active) <= 1:
        target = active[0] if active else view.new or next(iter(reversed(by_age(view.old))), None)
        return [Resize(target, view.replicas)] if target is not None else []
    if view.new is not None and _is_saturated(view, view.new):
        return [Resize(found, 0) for found in active if found is not view.new]
    return _plan_proportional(view, active) if view.is_rolling else []


def _is_saturated(view: View, new: apps_v1.ReplicaSet) -> bool:
    return (
        replicas_of(new) == view.replicas
        and parse_number(new.metadata.annotations.get(DESIRED_REPLICAS, "")) == view.replicas
        and (new.status.available_replicas or 0) == view.replicas
    )


def _plan_proportional(view: View, active: Sequence[apps_v1.ReplicaSet]) -> list[Resize]:
    """The largest set gets what rounding leaves over; of equals the newer when growing, the older when shrinking."""
    allowed = view.replicas + view.surge if view.replicas > 0 else 0
    change = allowed - size(active)
    ordered = by_age(active)
    if change > 0:
        ordered.reverse()
    ordered.sort(key=lambda found: -replicas_of(found))
    sizes: list[int] = []
    done = 0
    for found in ordered:
        part = _share(view, found, change, done)
        sizes.append(replicas_of(found) + part)
        done += part
    if change:
        sizes[0] = max(0, sizes[0] + change - done)
    return [Resize(found, wanted) for found, wanted in zip(ordered, sizes, strict=True)]


def _share(view: View, found: apps_v1.ReplicaSet, change: int, done: int) -> int:
    """A set's part of `change`, of which `done` is given away already."""
    current, left = replicas_of(found), change - done
    if left == 0:
        return 0
    if view.replicas == 0:
        wanted = -current
    else:
        before = parse_number(found.metadata.annotations.get(MAX_REPLICAS, "")) or view.deployment.status.replicas or 0
        if before == 0:
            return 0
        wanted = math.floor(current * (view.replicas + view.surge) / before + 0.5) - current
    return min(wanted, left) if change > 0 else max(wanted, left)
