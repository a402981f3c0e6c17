"""The ReplicaSet controller."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from pybernetes.api import errors
from pybernetes.api.selectors import labels
from pybernetes.api.selectors.labels import LabelSelector
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.api.types.base import Object
from pybernetes.client.cache import Key
from pybernetes.client.codec import HasMetadata
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController, key_of
from pybernetes.controllers.ownership import (
    CONTROLLER_INDEX,
    ORPHAN_INDEX,
    Claimer,
    add_owner_indexes,
    concerned,
    controller_of,
)
from pybernetes.controllers.podcontrol import BURST, PodControl, in_parallel, pod_from_template, slow_start
from pybernetes.controllers.replicaset.plan import (
    Counts,
    Failure,
    Members,
    count_pods,
    place_of,
    same_status,
    status_of,
)

MANY = 100
PAUSE_SECONDS = 0.0001
"""For each pod beyond the first hundred: the status of a set of a thousand is written ten times a second at most."""
SET_GROUPS = "set"


class Sets(Protocol):
    """Where the sets are: ReplicaSets themselves, or what can be looked at as such."""

    kind: str

    def get(self, name: str, namespace: str) -> apps_v1.ReplicaSet | None: ...
    def list(self, namespace: str) -> list[apps_v1.ReplicaSet]: ...
    def owned_by(self, uid: str) -> builtins.list[apps_v1.ReplicaSet]: ...
    def subscribe(self, on_change: Callable[[HasMetadata | None, HasMetadata | None], None]) -> None: ...
    async def write_status(self, replica_set: apps_v1.ReplicaSet, status: apps_v1.ReplicaSetStatus) -> None: ...


class ReplicaSets:
    """The ReplicaSets of the API."""

    kind = "ReplicaSet"

    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._informer = context.informers.of(apps_v1.ReplicaSet)
        add_owner_indexes(self._informer)

    def get(self, name: str, namespace: str) -> apps_v1.ReplicaSet | None:
        return self._informer.get(name, namespace)

    def list(self, namespace: str) -> list[apps_v1.ReplicaSet]:
        return self._informer.list(namespace)

    def owned_by(self, uid: str) -> builtins.list[apps_v1.ReplicaSet]:
        return self._informer.by_index(CONTROLLER_INDEX, uid)

    def subscribe(self, on_change: Callable[[HasMetadata | None, HasMetadata | None], None]) -> None:
        self._informer.subscribe(on_change)

    async def write_status(self, replica_set: apps_v1.ReplicaSet, status: apps_v1.ReplicaSetStatus) -> None:
        changed = msgspec.structs.replace(replica_set, status=status)
        self._informer.assume(await self._client.update_status(changed))


class ReplicaSetController(KeyedController):
    """Makes and deletes pods until each set has as many as it wants, and writes its status."""

    name = "replicaset-controller"
    workers = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sets: Sets = ReplicaSets(context)
        self._begin(apps_v1.ReplicaSet)

    def _begin(self, kind: type[Object]) -> None:
        """Once `sets` is there: everything else."""
        context = self.context
        self.pods = context.informers.of(core_v1.Pod)
        add_owner_indexes(self.pods)
        self.pods.add_groups(SET_GROUPS, place_of)
        self.control = PodControl(context, context.recorder(self.name))
        self.claimer = Claimer(context.client, kind, core_v1.Pod, self.pods)
        self.sets.subscribe(self.enqueue_change)
        self.pods.subscribe(self._on_pod)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        for key in concerned(self.sets.kind, self.sets.list, old, new):
            self.queue.add_after(key, self._pause(key))

    def _pause(self, key: Key) -> float:
        """Seconds in which more of a large set's pods may change before it is looked at."""
        replica_set = self.sets.get(key[1], key[0])
        return 0.0 if replica_set is None else max(0, replica_set.status.replicas - MANY) * PAUSE_SECONDS

    async def reconcile(self, key: Key) -> float | None:
        replica_set = self.sets.get(key[1], key[0])
        if replica_set is None:
            return None
        selector = labels.from_struct(replica_set.spec.selector)
        if self._has_claims(replica_set, selector):
            await self.claimer.claim(replica_set, selector)
        error: errors.StatusError | None = None
        failure: Failure | None = None
        if replica_set.metadata.deletion_timestamp is None:
            error, failure = await self._scale(replica_set, self._members(replica_set, selector))
        counts = await self._write_status(replica_set, self._members(replica_set, selector), failure)
        if error is not None and not errors.is_namespace_terminating(error):
            raise error
        return counts.until_available

    def _has_claims(self, replica_set: apps_v1.ReplicaSet, selector: LabelSelector) -> bool:
        """Whether there may be pods to adopt or to release."""
        owned = self.pods.group(SET_GROUPS, replica_set.metadata.uid or "")
        if any(not selector.matches(dict(traits.labels)) for traits in owned):
            return True
        loose = self.pods.by_index(ORPHAN_INDEX, replica_set.metadata.namespace or "")
        return any(selector.matches(pod.metadata.labels) for pod in loose)

    def _members(self, replica_set: apps_v1.ReplicaSet, selector: LabelSelector) -> Members:
        """Its pods as they are now, without those that were deleted here and whose deletion nobody has told yet."""
        owned = self.pods.group(SET_GROUPS, replica_set.metadata.uid or "")
        mine = {traits: keys for traits, keys in owned.items() if selector.matches(dict(traits.labels))}
        if not self.control.has_deleted:
            return mine
        return {
            traits: [key_of(pod) for pod in self.control.present(self._pods(keys))] for traits, keys in mine.items()
        }

    def _pods(self, keys: Iterable[Key]) -> list[core_v1.Pod]:
        return [pod for namespace, name in keys if (pod := self.pods.get(name, namespace)) is not None]

    async def _scale(
        self, replica_set: apps_v1.ReplicaSet, members: Members
    ) -> tuple[errors.StatusError | None, Failure | None]:
        """Make or delete the difference; what went wrong, if anything."""
        desired = 1 if replica_set.spec.replicas is None else replica_set.spec.replicas
        difference = sum(len(keys) for traits, keys in members.items() if traits.is_active) - desired
        if difference < 0:
            pod = pod_from_template(replica_set, replica_set.spec.template)
            error = await slow_start(min(-difference, BURST), functools.partial(self.control.create, replica_set, pod))
            return error, Failure("FailedCreate", error.message) if error else None
        if difference == 0:
            return None, None
        active = [pod for traits, keys in members.items() if traits.is_active for pod in self._pods(keys)]
        victims = self._choose(replica_set, active, min(difference, BURST))
        outcomes = await in_parallel([functools.partial(self.control.delete, replica_set, pod) for pod in victims])
        error = next((found for found in outcomes if found is not None), None)
        return error, Failure("FailedDelete", error.message) if error else None

    def _choose(
        self, replica_set: apps_v1.ReplicaSet, active: Sequence[core_v1.Pod], count: int
    ) -> Sequence[core_v1.Pod]:
        if count >= len(active):
            return active
        now = self.context.clock.now()
        return podstate.rank_for_deletion(active, self._related_pods(replica_set), now)[:count]

    def _related_pods(self, replica_set: apps_v1.ReplicaSet) -> list[core_v1.Pod]:
        """The pods of all sets of the same owner: sets of one Deployment spread together."""
        owner = controller_of(replica_set)
        siblings = self.sets.owned_by(owner.uid) if owner else [replica_set]
        return [pod for sibling in siblings for pod in self.pods.by_index(CONTROLLER_INDEX, sibling.metadata.uid or "")]

    async def _write_status(self, replica_set: apps_v1.ReplicaSet, members: Members, failure: Failure | None) -> Counts:
        waits = self._waits(members, replica_set.spec.min_ready_seconds or 0)
        counts = count_pods(members, replica_set.spec.template.metadata.labels, waits)
        status = status_of(replica_set, counts, failure, self.context.now())
        if not same_status(replica_set.status, status):
            await self.sets.write_status(replica_set, status)
        return counts

    def _waits(self, members: Members, min_ready_seconds: int) -> list[float | None] | None:
        """Of the active ready pods, for sets that want them to stay ready for a while."""
        if not min_ready_seconds:
            return None
        now = self.context.clock.now()
        ready = [keys for traits, keys in members.items() if traits.is_active and traits.is_ready]
        return [
            podstate.seconds_until_available(pod, min_ready_seconds, now) for keys in ready for pod in self._pods(keys)
        ]
