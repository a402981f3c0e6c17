"""What a decision does to the world: a binding, or a condition and an event that say why there is none."""

from __future__ import annotations

import logging

import msgspec
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api import errors
from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.client.events import EventRecorder
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.preemption import REASON, Victims

log = logging.getLogger(__name__)


class Binder(Struct, frozen=True):
    """Writes decisions to the API server."""

    client: Client
    recorder: EventRecorder
    clock: Clock

    async def bind(self, pod: PodInfo, node: str) -> None:
        """Give the pod its node (pods/binding). Raises StatusError; NotFound if the pod is gone."""
        name, namespace = pod.pod.metadata.name or "", pod.pod.metadata.namespace or ""
        body = core.Binding(
            metadata=meta.ObjectMeta(name=name, namespace=namespace, uid=pod.uid),
            target=core.ObjectReference(kind="Node", name=node),
        )
        await self.client.post(core.Pod, name, namespace, "binding", body, returns=meta.Status)
        self.recorder.event(
            pod.pod, "Normal", "Scheduled", f"Successfully assigned {namespace}/{name} to {node}", action="Binding"
        )

    async def report_unschedulable(self, pod: PodInfo, message: str, nominated: str = "") -> None:
        """PodScheduled=False with the message and the node that the pod is to get, written only if that says something
        new; and the event."""
        self.recorder.event(pod.pod, "Warning", "FailedScheduling", message, action="Scheduling")
        known = next((c for c in pod.pod.status.conditions if c.type == "PodScheduled"), None)
        unchanged = known is not None and (known.status, known.message) == ("False", message)
        if unchanged and pod.nominated == nominated:
            return
        now = format_time(self.clock.now())
        condition = core.PodCondition(
            type="PodScheduled",
            status="False",
            reason="Unschedulable",
            message=message,
            last_transition_time=known.last_transition_time if known and known.status == "False" else now,
            observed_generation=pod.pod.metadata.generation,
        )
        status: dict[str, object] = {"conditions": [msgspec.to_builtins(condition)]}
        if nominated != pod.nominated:
            status["nominatedNodeName"] = nominated or None
        await self._patch_status(pod, status)

    async def preempt(self, pod: PodInfo, victims: Victims) -> None:
        """Delete the victims gracefully, each told by whom. Raises the first StatusError when all have had their turn."""
        failed: errors.StatusError | None = None
        for victim in victims.pods:
            message = f"Preempted by pod {pod.uid} on node {victims.node}"
            self.recorder.event(victim.pod, "Normal", "Preempted", message, action="Preempting")
            condition = core.PodCondition(
                type="DisruptionTarget",
                status="True",
                reason=REASON,
                message=f"{pod.spec.scheduler_name}: preempting to accommodate a higher priority pod",
                last_transition_time=format_time(self.clock.now()),
            )
            try:
                await self._patch_status(victim, {"conditions": [msgspec.to_builtins(condition)]})
                metadata = victim.pod.metadata
                await self.client.delete(core.Pod, metadata.name or "", metadata.namespace or "", uid=victim.uid)
            except errors.StatusError as error:
                if error.code not in (404, 409):  # another of its name is there: it is gone
                    failed = failed or error
        if failed is not None:
            raise failed

    async def withdraw(self, pod: PodInfo) -> None:
        """The node that the pod was to get is another's."""
        try:
            await self._patch_status(pod, {"nominatedNodeName": None})
        except errors.StatusError as error:
            if error.code != 404:
                raise

    async def _patch_status(self, pod: PodInfo, status: dict[str, object]) -> None:
        metadata = pod.pod.metadata
        patch = {"metadata": {"uid": pod.uid}, "status": status}
        await self.client.patch(
            core.Pod, metadata.name or "", metadata.namespace or "", patch, PatchType.STRATEGIC, subresource="status"
        )
