"""The ReplicationController controller: the ReplicaSet's, looking at ReplicationControllers as sets."""

from __future__ import annotations

import builtins
from collections.abc import Callable

import msgspec

from pybernetes.api import errors
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.client.codec import HasMetadata
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.ownership import CONTROLLER_INDEX, add_owner_indexes
from pybernetes.controllers.replicaset.controller import ReplicaSetController, Sets


class ReplicationControllers:
    """The ReplicationControllers of the API, as ReplicaSets of their own kind."""

    kind = "ReplicationController"

    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._informer = context.informers.of(core_v1.ReplicationController)
        add_owner_indexes(self._informer)

    def get(self, name: str, namespace: str) -> apps_v1.ReplicaSet | None:
        found = self._informer.get(name, namespace)
        return as_set(found) if found is not None else None

    def list(self, namespace: str) -> list[apps_v1.ReplicaSet]:
        return [as_set(found) for found in self._informer.list(namespace)]

    def owned_by(self, uid: str) -> builtins.list[apps_v1.ReplicaSet]:
        return [as_set(found) for found in self._informer.by_index(CONTROLLER_INDEX, uid)]

    def subscribe(self, on_change: Callable[[HasMetadata | None, HasMetadata | None], None]) -> None:
        self._informer.subscribe(on_change)

    async def write_status(self, replica_set: apps_v1.ReplicaSet, status: apps_v1.ReplicaSetStatus) -> None:
        found = self._informer.get(replica_set.metadata.name or "", replica_set.metadata.namespace or "")
        if found is None or found.metadata.resource_version != replica_set.metadata.resource_version:
            raise errors.conflict("", "replicationcontrollers", replica_set.metadata.name or "")
        changed = msgspec.structs.replace(found, status=_status(status))
        self._informer.assume(await self._client.update_status(changed))


class ReplicationControllerController(ReplicaSetController):
    """Keeps so many pods of a template running."""

    name = "replicationcontroller-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        KeyedController.__init__(self, context)
        self.sets: Sets = ReplicationControllers(context)
        self._begin(core_v1.ReplicationController)


def as_set(found: core_v1.ReplicationController) -> apps_v1.ReplicaSet:
    """The same object as a ReplicaSet that calls itself a ReplicationController."""
    return apps_v1.ReplicaSet(
        api_version=found.api_version,
        kind=found.kind,
        metadata=found.metadata,
        spec=apps_v1.ReplicaSetSpec(
            replicas=found.spec.replicas,
            min_ready_seconds=found.spec.min_ready_seconds,
            selector=meta_v1.LabelSelector(match_labels=found.spec.selector),
            template=found.spec.template,
        ),
        status=msgspec.convert(msgspec.to_builtins(found.status), apps_v1.ReplicaSetStatus),
    )


def _status(status: apps_v1.ReplicaSetStatus) -> core_v1.ReplicationControllerStatus:
    """Without the count of terminating pods, which ReplicationControllers do not have."""
    tree = {name: value for name, value in msgspec.to_builtins(status).items() if name != "terminatingReplicas"}
    return msgspec.convert(tree, core_v1.ReplicationControllerStatus)
