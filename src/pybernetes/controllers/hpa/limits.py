"""How far and how fast the number of replicas may change: stabilisation, policies, bounds. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct, field

from pybernetes.api.types import autoscaling_v2 as v2

Rules = v2.HPAScalingRules
UP_FACTOR: Final = 2
UP_LEAST: Final = 4
"""Without a behaviour, replicas at most double at a time, but may always grow to four."""


class Change(NamedTuple):
    """Replicas that were added or taken away at a (monotonic) time."""

    time: float
    replicas: int


class Recommendation(NamedTuple):
    """What the metrics asked for at a (monotonic) time."""

    time: float
    replicas: int


class History(Struct):
    """What one autoscaler remembers; gone with the process, as upstream's."""

    recommendations: list[Recommendation] = field(default_factory=list)
    ups: list[Change] = field(default_factory=list)
    downs: list[Change] = field(default_factory=list)

    def note_change(self, time: float, before: int, after: int) -> None:
        if after > before:
            self.ups.append(Change(time, after - before))
        elif after < before:
            self.downs.append(Change(time, before - after))

    def forget(self, before: float) -> None:
        """Drop what is older: no window reaches back that far."""
        self.recommendations = [one for one in self.recommendations if one.time >= before]
        self.ups = [one for one in self.ups if one.time >= before]
        self.downs = [one for one in self.downs if one.time >= before]


class Verdict(NamedTuple):
    """A number of replicas, and the reason and words of the condition that explains it."""

    replicas: int
    reason: str
    message: str


class Bounds(Struct, frozen=True):
    """Of the spec, and how many there are now."""

    minimum: int
    maximum: int
    current: int


READY: Final = ("ReadyForNewScale", "recommended size matches current size")
DOWN_STABILIZED: Final = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
UP_STABILIZED: Final = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
WITHIN: Final = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_FEW: Final = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
TOO_MANY: Final = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
UP_LIMIT: Final = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
DOWN_LIMIT: Final = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")


def stabilize(history: History, now: float, desired: int, current: int, windows: tuple[float, float]) -> Verdict:
    """The change that all recommendations within the windows (up, down; seconds) agree on; notes this one."""
    up_window, down_window = windows
    lowest = highest = desired
    for one in history.recommendations:
        if one.time > now - up_window:
            lowest = min(lowest, one.replicas)
        if one.time > now - down_window:
            highest = max(highest, one.replicas)
    history.recommendations.append(Recommendation(now, desired))
    stable = min(max(current, lowest), highest)
    if stable == desired:
        return Verdict(desired, *READY)
    return Verdict(stable, *(UP_STABILIZED if desired >= current else DOWN_STABILIZED))


def limit(desired: int, bounds: Bounds) -> Verdict:
    """Within the bounds, and without a behaviour."""
    fastest = max(UP_FACTOR * bounds.current, UP_LEAST)
    if desired < bounds.minimum:
        return Verdict(bounds.minimum, *TOO_FEW)
    if desired > min(bounds.maximum, fastest):
        return Verdict(min(bounds.maximum, fastest), *(UP_LIMIT if bounds.maximum > fastest else TOO_MANY))
    return Verdict(desired, *WITHIN)


def limit_by(behavior: v2.HorizontalPodAutoscalerBehavior, history: History, now: float, desired: int, bounds: Bounds) -> Verdict:  # fmt: skip
    """Within the bounds, and no faster than the behaviour's policies allow."""
    if desired > bounds.current and behavior.scale_up is not None:
        fastest = max(bounds.current, highest_allowed(behavior.scale_up, history, now, bounds.current))
        if desired > min(bounds.maximum, fastest):
            return Verdict(min(bounds.maximum, fastest), *(UP_LIMIT if bounds.maximum > fastest else TOO_MANY))
    if desired < bounds.current and behavior.scale_down is not None:
        fastest = min(bounds.current, lowest_allowed(behavior.scale_down, history, now, bounds.current))
        if desired < max(bounds.minimum, fastest):
            return Verdict(max(bounds.minimum, fastest), *(DOWN_LIMIT if bounds.minimum < fastest else TOO_FEW))
    if desired > bounds.maximum:
        return Verdict(bounds.maximum, *TOO_MANY)
    if desired < bounds.minimum:
        return Verdict(bounds.minimum, *TOO_FEW)
    return Verdict(desired, *WITHIN)


def highest_allowed(rules: Rules, history: History, now: float, current: int) -> int:
    """How many replicas the policies for growing allow."""

    def allowed(policy: v2.HPAScalingPolicy, start: int) -> int:
        if policy.type == "Pods":
            return start + policy.value
        return math.ceil(start * (100 + policy.value) / 100)

    return _chosen(rules, history, now, current, allowed, {"Min": min}.get(rules.select_policy or "", max))


def lowest_allowed(rules: Rules, history: History, now: float, current: int) -> int:
    """To how few replicas the policies for shrinking allow to go."""

    def allowed(policy: v2.HPAScalingPolicy, start: int) -> int:
        if policy.type == "Pods":
            return start - policy.value
        return int(start * (100 - policy.value) / 100)

    return _chosen(rules, history, now, current, allowed, {"Min": max}.get(rules.select_policy or "", min))


def _chosen(
    rules: Rules,
    history: History,
    now: float,
    current: int,
    allowed: Callable[[v2.HPAScalingPolicy, int], int],
    choose: Callable[[Sequence[int]], int],
) -> int:
    if rules.select_policy == "Disabled" or not rules.policies:
        return current
    results = []
    for policy in rules.policies:
        since = now - policy.period_seconds
        results.append(allowed(policy, current - _sum(history.ups, since) + _sum(history.downs, since)))
    return choose(results)


def _sum(changes: Iterable[Change], since: float) -> int:
    return sum(change.replicas for change in changes if change.time > since)
