"""The shell around the decision: informers fill queue and snapshot, decisions become bindings."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable
from dataclasses import replace

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import open_scope
from pybernetes.api import errors
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import policy_v1 as policy
from pybernetes.api.types import resource_v1 as resource
from pybernetes.api.types import storage_v1 as storage
from pybernetes.client.codec import ObjectT
from pybernetes.client.informer import Informer, Informers
from pybernetes.scheduler.bind import Binder
from pybernetes.scheduler.cycle import Placed, Unplaced, decide
from pybernetes.scheduler.devices.binder import ClaimBinder
from pybernetes.scheduler.metrics import Result, SchedulerMetrics
from pybernetes.scheduler.plugins import dynamic_resources, pod_affinity
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.preemption import Victims, choose
from pybernetes.scheduler.queue import Queue
from pybernetes.scheduler.ranking import Rankings
from pybernetes.scheduler.reserving import Reservation, Reserver
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.volume_binder import VolumeBinder

log = logging.getLogger(__name__)

BINDINGS_AT_ONCE = 64
DECISIONS_PER_TURN = 16
"""After so many decisions in a row other tasks of the process get their turn."""

FREED = frozenset({"NodeResourcesFit", "NodePorts", "PodTopologySpread", "InterPodAffinity", "VolumeRestrictions"})
"""Plugins whose mind a pod's end may change."""

PLACED = frozenset({"PodTopologySpread", "InterPodAffinity"})
"""Plugins whose mind another pod's placement may change."""


VOLUMES = frozenset({"VolumeBinding", "VolumeRestrictions"})
"""Plugins whose mind a claim, a volume or a storage class may change."""

DEVICES = frozenset({dynamic_resources.NAME})
"""Plugins whose mind a resource claim, a slice or a class of devices may change."""


class Scheduler:
    """Places the pods that name this scheduler. `run` returns only when cancelled."""

    def __init__(
        self,
        informers: Informers,
        binder: Binder,
        clock: Clock,
        rng: random.Random,
        name: str = "default-scheduler",
        metrics: SchedulerMetrics | None = None,
    ) -> None:
        self._pods = informers.of(core.Pod)
        self._nodes = informers.of(core.Node)
        self._binder = binder
        self._clock = clock
        self._name = name
        self._metrics = metrics or SchedulerMetrics()
        self._snapshot = Snapshot()
        volumes = self._snapshot.volumes
        self._claims = informers.of(core.PersistentVolumeClaim)
        self._volumes = informers.of(core.PersistentVolume)
        self._classes = informers.of(storage.StorageClass)
        self._budgets = informers.of(policy.PodDisruptionBudget)
        self._namespaces = informers.of(core.Namespace)
        self._resource_claims = informers.of(resource.ResourceClaim)
        self._device_classes = informers.of(resource.DeviceClass)
        self._slices = informers.of(resource.ResourceSlice)
        self._claim_binder = ClaimBinder(informers.client, self._resource_claims, clock)
        self._reserver = Reserver(self._snapshot, VolumeBinder(informers.client, volumes), self._claim_binder)
        self._rankings = Rankings(rng)

    async def run(self) -> None:
        async with open_scope("scheduler") as scope:
            self._queue = Queue(self._clock, scope, self._metrics.incoming)
            self._metrics.pending = self._pending
            self._follow_volumes()
            self._follow_devices()
            self._namespaces.subscribe(self._on_namespace)
            self._nodes.subscribe(self._on_node)
            self._pods.subscribe(self._on_pod)
            await self._nodes.synced.wait()
            await self._pods.synced.wait()
            for informer in (
                self._claims, self._volumes, self._classes, self._budgets, self._namespaces,
                self._resource_claims, self._device_classes, self._slices,
            ):  # fmt: skip
                await informer.synced.wait()
            slots = asyncio.Semaphore(BINDINGS_AT_ONCE)
            for turn in itertools.count(1):
                await slots.acquire()
                pod = await self._queue.pop()
                began = self._clock.monotonic()
                decision = self._decide(pod)
                self._metrics.algorithm.observe(self._clock.monotonic() - began)
                reservation = self._reserver.reserve(pod, decision.node) if isinstance(decision, Placed) else None
                scope.spawn(self._carry_out(pod, decision, reservation, slots, began), f"place {pod.key}")
                if turn % DECISIONS_PER_TURN == 0:
                    await asyncio.sleep(0)

    def _decide(self, pod: PodInfo) -> Placed | Unplaced:
        """Decide, and take the consequences for the next decision before anything else can happen.

        A placed pod counts on its node from now on; one that is not placed waits where the next change finds it.
        """
        decision = decide(pod, self._snapshot, self._rankings)
        if isinstance(decision, Placed):
            self._snapshot.place(pod, decision.node)
        else:
            self._queue.give_back_unschedulable(self._tried(pod), decision.plugins)
        return decision

    def _tried(self, pod: PodInfo) -> PodInfo:
        return replace(pod, attempts=pod.attempts + 1, added=self._clock.monotonic())

    def _pending(self) -> dict[str, int]:
        gated = sum(1 for pod in self._pods.list() if pod.spec.scheduling_gates and not pod.spec.node_name)
        return {**self._queue.counts(), "gated": gated}

    async def _bind_reserved(self, pod: PodInfo, node: str, reservation: Reservation, slots: asyncio.Semaphore) -> None:
        """Others are bound meanwhile: a provisioner may take its time."""
        slots.release()
        began = self._clock.monotonic()
        try:
            await self._reserver.bind(pod, node, reservation)
        finally:
            self._metrics.passed("PreBind", self._clock.monotonic() - began)
            await slots.acquire()

    async def _carry_out(
        self,
        pod: PodInfo,
        decision: Placed | Unplaced,
        reservation: Reservation | None,
        slots: asyncio.Semaphore,
        began: float,
    ) -> None:
        result: Result = "scheduled" if isinstance(decision, Placed) else "unschedulable"
        try:
            if isinstance(decision, Placed):
                if reservation is not None:
                    await self._bind_reserved(pod, decision.node, reservation, slots)
                await self._bind(pod, decision.node)
            else:
                await self._explain(pod, decision)
        except errors.StatusError as error:
            result = "error"
            self._failed(self._tried(pod), error, placed=isinstance(decision, Placed))
        finally:
            self._metrics.attempted(result, self._clock.monotonic() - began)
            slots.release()

    async def _bind(self, pod: PodInfo, node: str) -> None:
        """Raises StatusError."""
        began = self._clock.monotonic()
        await self._binder.bind(pod, node)
        now = self._clock.monotonic()
        self._metrics.passed("Bind", now - began)
        self._metrics.scheduled(pod.attempts + 1, now - pod.first)

    def _failed(self, pod: PodInfo, error: errors.StatusError, *, placed: bool) -> None:
        """A pod that is gone is forgotten, any other is tried again."""
        if placed:
            self._snapshot.remove(pod.uid)
            self._queue.wake("AssignedPodDelete", FREED | DEVICES)  # what was set aside for it can be had again
        current = self._pods.get(pod.pod.metadata.name or "", pod.pod.metadata.namespace or "")
        if error.code == 404 or current is None or current.metadata.uid != pod.uid:
            self._queue.remove(pod.uid)
            return
        log.warning("placing failed pod=%s attempts=%d error=%s", pod.key, pod.attempts, error.message)
        if placed and not current.spec.node_name:
            self._queue.give_back_failed(pod)

    async def _explain(self, pod: PodInfo, decision: Unplaced) -> None:
        """Tell why, and make room if that is possible and not under way already."""
        if any(rejection.untold for rejection in decision.rejections.values()):
            return
        if not decision.rejections:
            await self._binder.report_unschedulable(pod, decision.message())
            return
        began = self._clock.monotonic()
        found = choose(pod, self._snapshot, decision.rejections, self._budgets.list())
        status = "Success" if isinstance(found, Victims) else "Unschedulable"
        self._metrics.passed("PostFilter", self._clock.monotonic() - began, status=status)
        self._metrics.preemptions.inc()
        if isinstance(found, Victims):
            await self._make_room(pod, decision, found)
            return
        if not found.waits:
            self._take_back(pod.uid)
        text = f"{await self._give_back(pod, decision)}, {found.message}"
        await self._binder.report_unschedulable(pod, decision.message(text), pod.nominated if found.waits else "")

    async def _give_back(self, pod: PodInfo, decision: Unplaced) -> str:
        """Devices that are of no use to the pod where it can run, and what is said of it."""
        if not pod.spec.resource_claims:
            return "no new claims to deallocate"
        if dynamic_resources.NOT_HERE in decision.rejections.values() and await self._claim_binder.give_back(pod):
            return "deallocation of ResourceClaim completed"
        return "still not schedulable"

    async def _make_room(self, pod: PodInfo, decision: Unplaced, victims: Victims) -> None:
        """The room is the pod's from now on; whoever waits for it and is less important has to look elsewhere."""
        self._metrics.victims.observe(len(victims.pods))
        outranked = self._snapshot.outranked(pod, victims.node)
        self._snapshot.promise(pod, victims.node)
        for other in outranked:
            self._snapshot.take_back(other.uid)
        await self._binder.report_unschedulable(pod, decision.message(), victims.node)
        await self._binder.preempt(pod, victims)
        for other in outranked:
            await self._binder.withdraw(other)

    def _take_back(self, uid: str) -> None:
        """No room is kept for the pod any more: others may have it."""
        if self._snapshot.take_back(uid):
            self._queue.wake("AssignedPodDelete", FREED)

    def _follow_volumes(self) -> None:
        volumes = self._snapshot.volumes
        self._follow(VOLUMES, self._claims, "PersistentVolumeClaim", volumes.set_claim)
        self._follow(VOLUMES, self._volumes, "PersistentVolume", volumes.set_volume)
        self._follow(VOLUMES, self._classes, "StorageClass", volumes.set_class)

    def _follow_devices(self) -> None:
        devices = self._snapshot.devices
        self._follow(DEVICES, self._resource_claims, "ResourceClaim", devices.set_claim)
        self._follow(DEVICES, self._device_classes, "DeviceClass", devices.set_class)
        self._follow(DEVICES, self._slices, "ResourceSlice", devices.set_slice)

    def _follow(
        self,
        plugins: frozenset[str],
        informer: Informer[ObjectT],
        kind: str,
        note: Callable[[ObjectT | None, ObjectT | None], None],
    ) -> None:
        """Each change is noted, and may be what a pod waits for that one of the plugins refused."""

        def changed(old: ObjectT | None, new: ObjectT | None) -> None:
            note(old, new)
            self._queue.wake(event_of(kind, old, new), plugins)

        informer.subscribe(changed)

    def _on_namespace(self, old: core.Namespace | None, new: core.Namespace | None) -> None:
        """Affinity between pods may ask for its labels."""
        known = self._snapshot.namespaces
        if new is None:
            known.pop(old.metadata.name or "" if old else "", None)
        elif known.get(name := new.metadata.name or "") != new.metadata.labels:
            known[name] = new.metadata.labels
            self._queue.wake(event_of("Namespace", old, new), frozenset({pod_affinity.NAME}))

    def _on_node(self, old: core.Node | None, new: core.Node | None) -> None:
        if new is not None:
            if self._snapshot.set_node(new):
                self._queue.wake(event_of("Node", old, new))
        elif old is not None:
            self._snapshot.remove_node(old.metadata.name or "")

    def _on_pod(self, old: core.Pod | None, new: core.Pod | None) -> None:
        pod = new or old
        if pod is None:
            return
        if new is None or new.status.phase in ("Succeeded", "Failed"):
            self._forget(pod)
        elif new.spec.node_name:
            self._queue.remove(new.metadata.uid or "")
            self._snapshot.place(PodInfo(new), new.spec.node_name)
            if old is None or not old.spec.node_name:
                self._queue.wake("AssignedPodAdd", PLACED)
        elif self._is_mine(new):
            self._enqueue(old, new)
        else:
            self._queue.remove(new.metadata.uid or "")

    def _is_mine(self, pod: core.Pod) -> bool:
        return (
            (pod.spec.scheduler_name or "default-scheduler") == self._name
            and not pod.spec.scheduling_gates
            and pod.metadata.deletion_timestamp is None
        )

    def _enqueue(self, old: core.Pod | None, new: core.Pod) -> None:
        """A pod that is being placed right now is left alone; one whose status alone has changed keeps its place, unless
        that tells the claims which were made for it."""
        uid = new.metadata.uid or ""
        now = self._clock.monotonic()
        info = PodInfo(new, added=now, first=now)
        if new.status.nominated_node_name:
            self._snapshot.promise(info, new.status.nominated_node_name)
        elif old is not None and old.status.nominated_node_name:
            self._take_back(uid)
        if old is None or _judged_by(old) != _judged_by(new):
            self._queue.add(info)
        elif self._queue.knows(uid):
            self._queue.refresh(info)

    def _forget(self, pod: core.Pod) -> None:
        uid = pod.metadata.uid or ""
        self._queue.remove(uid)
        if self._snapshot.remove(uid):
            self._queue.wake("AssignedPodDelete", FREED)


def _judged_by(pod: core.Pod) -> tuple[object, ...]:
    """What of a pod decisions look at."""
    return pod.spec, pod.metadata.labels, pod.status.resource_claim_statuses


def event_of(kind: str, old: object, new: object) -> str:
    """What metrics call a change."""
    return f"{kind}{'Add' if old is None else 'Delete' if new is None else 'Update'}"
