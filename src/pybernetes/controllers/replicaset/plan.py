"""What a ReplicaSet has to do, and what its status says: pure functions of the set and its pods."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from pybernetes.api.types import apps_v1, core_v1
from pybernetes.client.cache import Key
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.ownership import controller_of

REPLICA_FAILURE = "ReplicaFailure"


class Counts(Struct, frozen=True):
    """The pods of a set, counted; `until_available` is when the next ready pod will count as available."""

    replicas: int = 0
    fully_labeled: int = 0
    ready: int = 0
    available: int = 0
    terminating: int = 0
    until_available: float | None = None


class Failure(Struct, frozen=True):
    """What kept the set from making or deleting pods."""

    reason: str
    message: str


class Traits(NamedTuple):
    """All of a pod that the status of its set tells of: pods that are alike in it are counted together."""

    labels: frozenset[tuple[str, str]]
    is_finished: bool
    is_deleting: bool
    is_ready: bool

    @property
    def is_active(self) -> bool:
        """Whether it counts as a replica."""
        return not self.is_finished and not self.is_deleting


Members: TypeAlias = Mapping[Traits, Collection[Key]]
"""The pods of a set, by their traits."""


def place_of(pod: core_v1.Pod) -> tuple[str, Traits] | None:
    """A group function: the controller's UID, and the pod's traits."""
    owner = controller_of(pod)
    if owner is None:
        return None
    traits = Traits(
        frozenset(pod.metadata.labels.items()),
        podstate.is_finished(pod),
        pod.metadata.deletion_timestamp is not None,
        podstate.is_ready(pod),
    )
    return owner.uid, traits


def count_pods(members: Members, labels: dict[str, str], waits: Sequence[float | None] | None) -> Counts:
    """Count a set's pods; finished ones count nowhere, those being deleted only as terminating.

    `waits` is how long each of the active ready ones has to stay ready yet to be available; None: none has to.
    """
    active = {traits: len(keys) for traits, keys in members.items() if traits.is_active}
    ready = sum(count for traits, count in active.items() if traits.is_ready)
    return Counts(
        replicas=sum(active.values()),
        fully_labeled=sum(count for traits, count in active.items() if labels.items() <= traits.labels),
        ready=ready,
        available=ready if waits is None else sum(wait == 0 for wait in waits),
        terminating=sum(len(keys) for traits, keys in members.items() if traits.is_deleting and not traits.is_finished),
        until_available=min((wait for wait in waits or () if wait), default=None),
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
    standing = next((condition for condition in old if condition.type == REPLICA_FAILURE), None)
    if standing is not None and (standing.status, standing.reason) == ("True", failure.reason):
        # As it is, whatever the message: that names the pod that was tried, another one at each attempt, and a status
        # that changes at each attempt would bring the set back before its back-off is over.
        return [*others, standing]
    made = apps_v1.ReplicaSetCondition(
        type=REPLICA_FAILURE, status="True", reason=failure.reason, message=failure.message, last_transition_time=now
    )
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
