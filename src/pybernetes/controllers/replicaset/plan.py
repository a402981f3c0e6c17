"""What a ReplicaSet has to do, and what its status says: pure functions of the set and its pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import pods as podstate

REPLICA_FAILURE = "ReplicaFailure"


@dataclass(frozen=True, slots=True)
class Counts:
    """The pods of a set, counted; `until_available` is when the next ready pod will count as available."""

    replicas: int = 0
    fully_labeled: int = 0
    ready: int = 0
    available: int = 0
    terminating: int = 0
    until_available: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What kept the set from making or deleting pods."""

    reason: str
    message: str


def count_pods(pods: Sequence[core_v1.Pod], labels: dict[str, str], min_ready_seconds: int, now: datetime) -> Counts:
    """Count a set's pods; finished ones count nowhere, those being deleted only as terminating."""
    active = [pod for pod in pods if podstate.is_active(pod)]
    waits = [podstate.seconds_until_available(pod, min_ready_seconds, now) for pod in active]
    return Counts(
        replicas=len(active),
        fully_labeled=sum(labels.items() <= pod.metadata.labels.items() for pod in active),
        ready=sum(podstate.is_ready(pod) for pod in active),
        available=sum(wait == 0 for wait in waits),
        terminating=sum(pod.metadata.deletion_timestamp is not None and not podstate.is_finished(pod) for pod in pods),
        until_available=min((wait for wait in waits if wait), default=None),
    )


def status_of(
    replica_set: apps_v1.ReplicaSet, counts: Counts, failure: Failure | None, now: str
) -> apps_v1.ReplicaSetStatus:
    """The status that the set should have. A standing failure keeps the time since when it stands."""
    return apps_v1.ReplicaSetStatus(
        replicas=counts.replicas,
        fully_labeled_replicas=counts.fully_labeled,
        ready_replicas=counts.ready,
        available_replicas=counts.available,
        terminating_replicas=counts.terminating,
        observed_generation=replica_set.metadata.generation,
        conditions=_conditions(replica_set.status.conditions, failure, now),
    )


def _conditions(
    old: Sequence[apps_v1.ReplicaSetCondition], failure: Failure | None, now: str
) -> list[apps_v1.ReplicaSetCondition]:
    others = [condition for condition in old if condition.type != REPLICA_FAILURE]
    if failure is None:
        return others
    made = apps_v1.ReplicaSetCondition(
        type=REPLICA_FAILURE, status="True", reason=failure.reason, message=failure.message, last_transition_time=now
    )
    standing = next((condition for condition in old if condition.type == REPLICA_FAILURE), None)
    if standing is not None and (standing.status, standing.reason) == (made.status, made.reason):
        made = msgspec.structs.replace(made, last_transition_time=standing.last_transition_time)
    return [*others, made]


def same_status(old: apps_v1.ReplicaSetStatus, new: apps_v1.ReplicaSetStatus) -> bool:
    """Whether writing `new` would change nothing that matters: numbers that are absent are 0."""
    return _comparable(old) == _comparable(new)


def _comparable(status: apps_v1.ReplicaSetStatus) -> tuple[object, ...]:
    return (
        status.replicas,
        status.fully_labeled_replicas or 0,
        status.ready_replicas or 0,
        status.available_replicas or 0,
        status.terminating_replicas or 0,
        status.observed_generation or 0,
        [(found.type, found.status, found.reason, found.message) for found in status.conditions],
    )
