"""The status of an autoscaler, made of what one sync found. Pure."""

from __future__ import annotations

from msgspec import Struct, field

from pybernetes.api.types import autoscaling_v2 as v2

Condition = v2.HorizontalPodAutoscalerCondition


class NoTargetError(Exception):
    """The target cannot be scaled, in the words of whoever said so."""


class Outcome(Struct):
    """What one sync has found out so far."""

    current: int
    desired: int
    rescaled: bool = False
    metrics: list[v2.MetricStatus] = field(default_factory=list)
    conditions: dict[str, tuple[bool, str, str]] = field(default_factory=dict)

    def set(self, type: str, status: bool, reason: str, message: str) -> None:
        """Of several words on one condition the last ones count."""
        self.conditions[type] = (status, reason, message)


def status_of(
    autoscaler: v2.HorizontalPodAutoscaler, outcome: Outcome, now: str
) -> v2.HorizontalPodAutoscalerStatus:  # fmt: skip
    """Conditions that were not looked at stay as they were."""
    before = autoscaler.status
    known = {one.type: one for one in before.conditions}
    for type, (status, reason, message) in outcome.conditions.items():
        known[type] = _condition(known.get(type), type, str(status), reason, message, now)
    return v2.HorizontalPodAutoscalerStatus(
        conditions=list(known.values()),
        current_metrics=outcome.metrics,
        current_replicas=outcome.current,
        desired_replicas=outcome.desired,
        last_scale_time=now if outcome.rescaled else before.last_scale_time,
        observed_generation=autoscaler.metadata.generation,
    )


def _condition(old: Condition | None, type: str, status: str, reason: str, message: str, now: str) -> Condition:
    changed = old.last_transition_time if old is not None and old.status == status else now
    return Condition(type=type, status=status, reason=reason, message=message, last_transition_time=changed)
