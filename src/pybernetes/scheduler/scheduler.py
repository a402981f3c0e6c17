"""The shell around the decision: pods come from the queue, decisions become bindings."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from dataclasses import replace

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import open_scope
from pybernetes.api import errors
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import policy_v1 as policy
from pybernetes.api.types import resource_v1 as resource
from pybernetes.client.informer import Informers
from pybernetes.scheduler.bind import Binder
from pybernetes.scheduler.cycle import Decision, Placed, Unplaced, decide
from pybernetes.scheduler.devices.binder import ClaimBinder
from pybernetes.scheduler.event_handlers import DEVICES, FREED, EventHandlers
from pybernetes.scheduler.metrics import Result, SchedulerMetrics
from pybernetes.scheduler.plugins import dynamic_resources
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


class Attempt(Struct, frozen=True):
    """What was decided about a pod, at what time."""

    pod: PodInfo
    decision: Decision
    reservation: Reservation | None
    began: float


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
        self._budgets = informers.of(policy.PodDisruptionBudget)
        self._binder = binder
        self._clock = clock
        self._metrics = metrics or SchedulerMetrics()
        self._snapshot = Snapshot()
        self._handlers = EventHandlers(informers, self._snapshot, clock, name)
        self._claim_binder = ClaimBinder(informers.client, informers.of(resource.ResourceClaim), clock)
        claims = informers.of(core.PersistentVolumeClaim)
        volume_binder = VolumeBinder(informers.client, claims, self._snapshot.volumes)
        self._reserver = Reserver(self._snapshot, volume_binder, self._claim_binder)
        self._rankings = Rankings(rng)

    async def run(self) -> None:
        async with open_scope("scheduler") as scope:
            self._queue = Queue(self._clock, scope, self._metrics.incoming)
            self._metrics.pending = self._pending
            self._handlers.subscribe(self._queue)
            await self._handlers.wait_synced()
            await self._budgets.synced.wait()
            slots = asyncio.Semaphore(BINDINGS_AT_ONCE)
            for turn in itertools.count(1):
                await slots.acquire()
                attempt = self._attempt(await self._queue.pop())
                if attempt is None:
                    slots.release()
                else:
                    scope.spawn(self._carry_out(attempt, slots), f"place {attempt.pod.key}")
                if turn % DECISIONS_PER_TURN == 0:
                    await asyncio.sleep(0)

    def _attempt(self, pod: PodInfo) -> Attempt | None:
        """Decide, and take the consequences for the next decision before anything else can happen.

        A placed pod counts on its node from now on; one that is not placed waits where the next change finds it.
        None for a pod that cannot be judged: it is tried again later, and stands in nobody's way.
        """
        began = self._clock.monotonic()
        try:
            decision = decide(pod, self._snapshot, self._rankings)
            self._metrics.algorithm.observe(self._clock.monotonic() - began)
            reservation = None
            if isinstance(decision, Placed):
                self._snapshot.place(pod, decision.node)
                reservation = self._reserver.reserve(pod, decision.node)
            else:
                self._queue.give_back_unschedulable(self._tried(pod), decision.plugins)
        except Exception:
            log.exception("deciding failed pod=%s", pod.key)
            self._metrics.attempted("error", self._clock.monotonic() - began)
            self._try_again(pod)
            return None
        return Attempt(pod, decision, reservation, began)

    def _tried(self, pod: PodInfo) -> PodInfo:
        return replace(pod, attempts=pod.attempts + 1, added=self._clock.monotonic())

    def _pending(self) -> dict[str, int]:
        gated = sum(1 for pod in self._pods.list() if pod.spec.scheduling_gates and not pod.spec.node_name)
        return {**self._queue.counts(), "gated": gated}

    async def _bind_reserved(self, pod: PodInfo, reservation: Reservation, slots: asyncio.Semaphore) -> None:
        """Others are bound meanwhile: a provisioner may take its time."""
        slots.release()
        began = self._clock.monotonic()
        try:
            await self._reserver.bind(pod, reservation)
        finally:
            self._metrics.passed("PreBind", self._clock.monotonic() - began)
            await slots.acquire()

    async def _carry_out(self, attempt: Attempt, slots: asyncio.Semaphore) -> None:
        pod, decision = attempt.pod, attempt.decision
        result: Result = "scheduled" if isinstance(decision, Placed) else "unschedulable"
        try:
            if isinstance(decision, Placed):
                if attempt.reservation is not None:
                    await self._bind_reserved(pod, attempt.reservation, slots)
                await self._bind(pod, decision.node)
            else:
                await self._explain(pod, decision)
        except Exception as error:
            result = "error"
            unforeseen = None if isinstance(error, errors.StatusError) else error
            log.warning("placing failed pod=%s attempts=%d error=%s", pod.key, pod.attempts, error, exc_info=unforeseen)
            if isinstance(decision, Placed) or self._queue.is_waiting(pod.uid):
                self._try_again(pod)
        finally:
            self._metrics.attempted(result, self._clock.monotonic() - attempt.began)
            slots.release()

    async def _bind(self, pod: PodInfo, node: str) -> None:
        """Raises StatusError."""
        began = self._clock.monotonic()
        await self._binder.bind(pod, node)
        now = self._clock.monotonic()
        self._metrics.passed("Bind", now - began)
        self._metrics.scheduled(pod.attempts + 1, now - pod.first)

    def _try_again(self, pod: PodInfo) -> None:
        """What was decided cannot be carried out: the pod, as it is by now, waits for a while. Safe if it is gone."""
        if self._snapshot.placed(pod.uid) is not None:
            self._snapshot.remove(pod.uid)
            self._queue.wake("AssignedPodDelete", FREED | DEVICES)  # what was set aside for it can be had again
        current = self._pods.get(pod.pod.metadata.name or "", pod.pod.metadata.namespace or "")
        if current is None or current.metadata.uid != pod.uid:
            return
        if current.spec.node_name:
            self._snapshot.place(PodInfo(current), current.spec.node_name)
        elif self._handlers.is_to_place(current):
            again = replace(self._tried(pod), pod=current)
            if again.nominated:
                self._snapshot.promise(again, again.nominated)
            self._queue.give_back_failed(again)

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
            self._handlers.take_back(pod.uid)
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
