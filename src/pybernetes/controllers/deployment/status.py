"""The status of a Deployment: counts, conditions, and whether it moves: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from pybernetes.api.time import format_time, parse_time
from pybernetes.api.types import apps_v1
from pybernetes.controllers.deployment.rollout import View, available, size

AVAILABLE, PROGRESSING, REPLICA_FAILURE = "Available", "Progressing", "ReplicaFailure"
NEW_SET_AVAILABLE, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"
NO_DEADLINE = 2**31 - 1

Conditions = list[apps_v1.DeploymentCondition]


class Claim(Struct, frozen=True):
    """What a condition should say."""

    type: str
    status: str
    reason: str
    message: str


def condition(conditions: Sequence[apps_v1.DeploymentCondition], type: str) -> apps_v1.DeploymentCondition | None:
    return next((found for found in conditions if found.type == type), None)


def with_condition(conditions: Conditions, claim: Claim, now: str) -> Conditions:
    """The conditions with the claim; one that says the same already (status and reason) stays untouched."""
    current = condition(conditions, claim.type)
    if current is not None and (current.status, current.reason) == (claim.status, claim.reason):
        return conditions
    since = current.last_transition_time if current is not None and current.status == claim.status else now
    made = apps_v1.DeploymentCondition(
        type=claim.type, status=claim.status, reason=claim.reason, message=claim.message,
        last_update_time=now, last_transition_time=since,
    )  # fmt: skip
    return [*without_condition(conditions, claim.type), made]


def without_condition(conditions: Conditions, type: str) -> Conditions:
    return [found for found in conditions if found.type != type]


def has_deadline(deployment: apps_v1.Deployment) -> bool:
    deadline = deployment.spec.progress_deadline_seconds
    return deadline is not None and deadline != NO_DEADLINE


def base_status(view: View, now: str) -> apps_v1.DeploymentStatus:
    """Counts and the Available condition; other conditions as they are."""
    deployment, sets = view.deployment, view.all
    reachable = available(sets)
    enough = reachable >= view.replicas - view.unavailable
    claim = Claim(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    if not enough:
        message = "Deployment does not have minimum availability."
        claim = Claim(AVAILABLE, "False", "MinimumReplicasUnavailable", message)
    return apps_v1.DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(found.status.replicas for found in sets),
        updated_replicas=view.new.status.replicas if view.new is not None else 0,
        ready_replicas=sum(found.status.ready_replicas or 0 for found in sets),
        available_replicas=reachable,
        unavailable_replicas=max(0, size(sets) - reachable),
        terminating_replicas=sum(found.status.terminating_replicas or 0 for found in sets),
        collision_count=deployment.status.collision_count,
        conditions=with_condition(list(deployment.status.conditions), claim, now),
    )


def rollout_status(view: View, now: datetime) -> apps_v1.DeploymentStatus:
    """The whole status while rolling out: `base_status`, progress and the failures of the sets."""
    stamp = format_time(now)
    status = base_status(view, stamp)
    conditions = list(status.conditions)
    if not has_deadline(view.deployment):
        conditions = without_condition(conditions, PROGRESSING)
    elif not _was_complete(view, status):
        conditions = _with_progress(view, status, conditions, now)
    conditions = without_condition(conditions, REPLICA_FAILURE) if not (failure := _failure(view)) else with_condition(
        conditions, failure, stamp
    )  # fmt: skip
    return msgspec.structs.replace(status, conditions=conditions)


def is_complete(deployment: apps_v1.Deployment, status: apps_v1.DeploymentStatus) -> bool:
    """All pods are of the new template and available, and none of an old one is left."""
    wanted = 1 if deployment.spec.replicas is None else deployment.spec.replicas
    counts = (status.updated_replicas or 0, status.replicas or 0, status.available_replicas or 0)
    return counts == (wanted, wanted, wanted) and (status.observed_generation or 0) >= (
        deployment.metadata.generation or 0
    )


def seconds_until_timeout(
    deployment: apps_v1.Deployment, status: apps_v1.DeploymentStatus, now: datetime
) -> float | None:
    """When a rollout that does not move will have timed out; None if it is over, or has no deadline."""
    current = condition(status.conditions, PROGRESSING)
    if (
        not has_deadline(deployment)
        or current is None
        or current.reason == TIMED_OUT
        or is_complete(deployment, status)
    ):
        return None
    return max(0.0, (deployment.spec.progress_deadline_seconds or 0) - _age(current, now))


def same_status(old: apps_v1.DeploymentStatus, new: apps_v1.DeploymentStatus) -> bool:
    """Whether writing `new` would change nothing: numbers that are absent are 0."""
    return _comparable(old) == _comparable(new)


def _comparable(status: apps_v1.DeploymentStatus) -> dict[str, object]:
    return {name: value for name, value in msgspec.to_builtins(status).items() if value}


def _was_complete(view: View, status: apps_v1.DeploymentStatus) -> bool:
    current = condition(view.deployment.status.conditions, PROGRESSING)
    return current is not None and current.reason == NEW_SET_AVAILABLE and status.replicas == status.updated_replicas


def _with_progress(view: View, status: apps_v1.DeploymentStatus, conditions: Conditions, now: datetime) -> Conditions:
    subject = f'ReplicaSet "{view.new.metadata.name}"' if view.new else f'Deployment "{view.deployment.metadata.name}"'
    stamp = format_time(now)
    if is_complete(view.deployment, status):
        claim = Claim(PROGRESSING, "True", NEW_SET_AVAILABLE, f"{subject} has successfully progressed.")
        return with_condition(conditions, claim, stamp)
    if _has_moved(view.deployment.status, status):
        claim = Claim(PROGRESSING, "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        return _renewed(conditions, claim, stamp)
    if _has_timed_out(view.deployment, conditions, now):
        claim = Claim(PROGRESSING, "False", TIMED_OUT, f"{subject} has timed out progressing.")
        return with_condition(conditions, claim, stamp)
    return conditions


def _renewed(conditions: Conditions, claim: Claim, now: str) -> Conditions:
    """As `with_condition`, but the update time moves on each time: the deadline counts from it."""
    current = condition(conditions, claim.type)
    made = with_condition(without_condition(conditions, claim.type), claim, now)
    if current is None or current.status != claim.status:
        return made
    return [*made[:-1], msgspec.structs.replace(made[-1], last_transition_time=current.last_transition_time)]


def _has_moved(old: apps_v1.DeploymentStatus, new: apps_v1.DeploymentStatus) -> bool:
    def outdated(status: apps_v1.DeploymentStatus) -> int:
        return (status.replicas or 0) - (status.updated_replicas or 0)

    return (
        (new.updated_replicas or 0) > (old.updated_replicas or 0)
        or outdated(new) < outdated(old)
        or (new.ready_replicas or 0) > (old.ready_replicas or 0)
        or (new.available_replicas or 0) > (old.available_replicas or 0)
    )


def _has_timed_out(deployment: apps_v1.Deployment, conditions: Conditions, now: datetime) -> bool:
    current = condition(conditions, PROGRESSING)
    if current is None or current.reason == NEW_SET_AVAILABLE:
        return False
    if current.reason == TIMED_OUT:
        return True
    return _age(current, now) > (deployment.spec.progress_deadline_seconds or 0)


def _age(found: apps_v1.DeploymentCondition, now: datetime) -> float:
    return (now - parse_time(found.last_update_time)).total_seconds() if found.last_update_time else 0.0


def _failure(view: View) -> Claim | None:
    """The first failure among the sets; the new one's comes first."""
    for found in [*([view.new] if view.new else []), *view.old]:
        for failed in found.status.conditions:
            if failed.type == REPLICA_FAILURE:
                return Claim(REPLICA_FAILURE, failed.status or "True", failed.reason or "", failed.message or "")
    return None
