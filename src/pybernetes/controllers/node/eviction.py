"""The taint eviction controller: deletes pods that do not tolerate a NoExecute taint of their node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pybernetes.api.taints import tolerates
from pybernetes.api.time import parse_time
from pybernetes.api.types import core_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found
from pybernetes.controllers.node.lifecycle import NODE_INDEX, node_of


class TaintEvictionController(KeyedController):
    """Keys are pods."""

    name = "taint-eviction-controller"
    workers = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = context.informers.of(core_v1.Node)
        self.pods = context.informers.of(core_v1.Pod)
        self.pods.add_index(NODE_INDEX, node_of)
        self.recorder = context.recorder(self.name)
        self._doomed: set[Key] = set()
        self.nodes.subscribe(self._on_node)
        self.pods.subscribe(self._on_pod)

    def _on_node(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        before = no_execute(old) if old is not None else []
        after = no_execute(new) if new is not None else []
        node = new or old
        if before != after and node is not None:
            for pod in self.pods.by_index(NODE_INDEX, node.metadata.name or ""):
                self.enqueue(pod)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if new is None or not new.spec.node_name:
            return
        before, after = old.spec if old is not None else None, new.spec
        if before is not None and before.node_name == after.node_name and before.tolerations == after.tolerations:
            return
        node = self.nodes.get(new.spec.node_name)
        if node is not None and no_execute(node):
            self.enqueue(new)

    async def reconcile(self, key: Key) -> float | None:
        pod = self.pods.get(key[1], key[0])
        node = self.nodes.get(pod.spec.node_name or "") if pod is not None else None
        if pod is None or node is None or pod.metadata.deletion_timestamp is not None:
            self._doomed.discard(key)
            return None
        taints, now = no_execute(node), self.context.clock.now()
        wait = seconds_until_eviction(taints, pod.spec.tolerations, now, since=bound_at(pod))
        if wait is None:
            if key in self._doomed:
                self._doomed.discard(key)
                self._tell(pod, f"Cancelling deletion of Pod {key[0]}/{key[1]}")
            return None
        self._doomed.add(key)
        if wait > 0:
            return wait
        self._tell(pod, f"Marking for deletion Pod {key[0]}/{key[1]}")
        await self._evict(pod)
        self._doomed.discard(key)
        return None

    def _tell(self, pod: core_v1.Pod, message: str) -> None:
        self.recorder.event(pod, "Normal", "TaintManagerEviction", message)

    async def _evict(self, pod: core_v1.Pod) -> None:
        message = "Taint manager: deleting due to NoExecute taint"
        patch = podstate.disruption_patch(pod, "DeletionByTaintManager", message, self.context.now())
        meta = pod.metadata
        name, namespace = meta.name or "", meta.namespace or ""
        if await ignore_not_found(
            self.client.patch(core_v1.Pod, name, namespace, patch, PatchType.STRATEGIC, subresource="status")
        ):
            await ignore_not_found(self.client.delete(core_v1.Pod, name, namespace, uid=meta.uid or ""))


def no_execute(node: core_v1.Node) -> list[core_v1.Taint]:
    return [taint for taint in node.spec.taints if taint.effect == "NoExecute"]


def bound_at(pod: core_v1.Pod) -> datetime | None:
    """When the pod came to its node; None if nobody says."""
    placed = podstate.condition(pod, "PodScheduled")
    moment = placed.last_transition_time if placed is not None and placed.status == "True" else pod.status.start_time
    return parse_time(moment) if moment else None


def seconds_until_eviction(
    taints: Sequence[core_v1.Taint],
    tolerations: Iterable[core_v1.Toleration],
    now: datetime,
    since: datetime | None = None,
) -> float | None:
    """None if the pod may stay for ever, 0 if it has to go, else how long its shortest toleration lasts yet.

    A pod that came (`since`) when the taint was there has all of that time from then on: else it would go at once, and
    so would the one that is made in its place.
    """
    deadlines: list[float] = []
    listed = list(tolerations)
    for taint in taints:
        fitting = [toleration for toleration in listed if tolerates(toleration, taint)]
        if not fitting:
            return 0.0
        limits = [toleration.toleration_seconds for toleration in fitting if toleration.toleration_seconds is not None]
        if limits:
            added = parse_time(taint.time_added) if taint.time_added else now
            deadlines.append(max(0, min(limits)) - (now - max(added, since or added)).total_seconds())
    return max(0.0, min(deadlines)) if deadlines else None
