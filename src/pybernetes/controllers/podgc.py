"""The pod garbage collector: removes pods that no kubelet will ever remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybernetes.api import errors
from pybernetes.api.types import core_v1
from pybernetes.client.patch import PatchType
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, do_all, ignore_not_found
from pybernetes.controllers.node.health import ready_status

# A node that is gone may come back under its name (a reboot, a restored backup): its pods wait so long for it.
QUARANTINE_SECONDS = 40.0
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
ORPHANED = "PodGC: node no longer exists"


class PodGarbageCollector:
    """One sweep at a time, asked for by events: a node went, a pod without a node is going, too many are finished."""

    name = "pod-garbage-collector-controller"

    def __init__(self, context: Context) -> None:
        self.context, self.client = context, context.client
        self.queue: WorkQueue[str] = WorkQueue(context.clock)
        self.pods = context.informers.of(core_v1.Pod)
        self.nodes = context.informers.of(core_v1.Node)
        self._finished = 0
        self._missing_since: dict[str, float] = {}
        self.pods.subscribe(self._on_pod)
        self.nodes.subscribe(self._on_node)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        before = old is not None and podstate.is_finished(old)
        after = new is not None and podstate.is_finished(new)
        self._finished += after - before
        threshold = self.context.options.terminated_pod_gc_threshold
        if (
            0 < threshold < self._finished
            or (new is not None and _is_going_nowhere(new))
            or (new is not None and old is None and new.spec.node_name and self.nodes.get(new.spec.node_name) is None)
        ):
            self.queue.add("sweep")

    def _on_node(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        if new is None or is_out_of_service(new):
            self.queue.add("sweep")

    async def run(self) -> None:
        """Returns only when cancelled."""
        self.queue.add("sweep")
        await run_workers(self.queue, self._sweep, workers=1, name=self.name)

    async def _sweep(self, _: str) -> float | None:
        """Remove what can go now; when to look again, if a node's pods are waiting for it."""
        pods = self.pods.list()
        gone, wait = await self._gone_nodes(pods)
        ended = surplus(pods, self.context.options.terminated_pod_gc_threshold)
        lost = [pod for pod in pods if _is_going_nowhere(pod) or self._is_on_dead_node(pod)]
        orphans = [pod for pod in pods if pod.spec.node_name in gone]
        causes = [*((pod, None) for pod in (*lost, *ended)), *((pod, ORPHANED) for pod in orphans)]
        await do_all(self._remove(pod, cause) for pod, cause in causes)
        return wait

    def _is_on_dead_node(self, pod: core_v1.Pod) -> bool:
        node = self.nodes.get(pod.spec.node_name or "")
        return node is not None and pod.metadata.deletion_timestamp is not None and is_out_of_service(node)

    async def _gone_nodes(self, pods: Sequence[core_v1.Pod]) -> tuple[set[str], float | None]:
        """The nodes of pods that are gone for good, and when there may be more of them."""
        now = self.context.clock.monotonic()
        missing = {name for pod in pods if (name := pod.spec.node_name) and self.nodes.get(name) is None}
        self._missing_since = {name: self._missing_since.get(name, now) for name in missing}
        overdue = {name for name, since in self._missing_since.items() if now - since >= QUARANTINE_SECONDS}
        gone = {name for name in overdue if await self._is_gone(name)}
        waits = [QUARANTINE_SECONDS - (now - since) for name, since in self._missing_since.items() if name not in gone]
        return gone, max(0.1, min(waits)) if waits else None

    async def _is_gone(self, name: str) -> bool:
        """Ask the server itself before removing what may be running."""
        try:
            await self.client.get(core_v1.Node, name)
        except errors.StatusError as error:
            if errors.is_not_found(error):
                return True
            raise
        return False

    async def _remove(self, pod: core_v1.Pod, disruption: str | None) -> None:
        """Delete without grace; a pod that never ended is told to have failed."""
        meta = pod.metadata
        name, namespace = meta.name or "", meta.namespace or ""
        if not podstate.is_finished(pod):
            patch: dict[str, Any] = {"metadata": {"uid": meta.uid}, "status": {}}
            if disruption:
                patch = podstate.disruption_patch(pod, "DeletionByPodGC", disruption, self.context.now())
            patch["status"]["phase"] = "Failed"
            call = self.client.patch(core_v1.Pod, name, namespace, patch, PatchType.STRATEGIC, subresource="status")
            if not await ignore_not_found(call):
                return
        await ignore_not_found(
            self.client.delete(core_v1.Pod, name, namespace, uid=meta.uid or "", grace_period_seconds=0)
        )


def _is_going_nowhere(pod: core_v1.Pod) -> bool:
    """Being deleted, but bound to no node whose kubelet could confirm it."""
    return pod.metadata.deletion_timestamp is not None and not pod.spec.node_name


def is_out_of_service(node: core_v1.Node) -> bool:
    """Whether somebody says so, and its kubelet does not contradict."""
    return ready_status(node) != "True" and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def surplus(pods: Sequence[core_v1.Pod], threshold: int) -> list[core_v1.Pod]:
    """The oldest finished pods beyond the threshold; none if it is 0 or less. Evicted ones go first."""
    finished = [pod for pod in pods if podstate.is_finished(pod) and pod.metadata.deletion_timestamp is None]
    if threshold <= 0 or len(finished) <= threshold:
        return []
    finished.sort(key=lambda pod: (pod.status.reason != "Evicted", pod.metadata.creation_timestamp or ""))
    return finished[: len(finished) - threshold]
