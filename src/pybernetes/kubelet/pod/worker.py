"""One pod's worker: looks, decides, acts, tells, and sleeps until something changes."""

import asyncio
import logging
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri.errors import CRIError, UnavailableError
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.events import NORMAL, WARNING
from pybernetes.kubelet.observed import Observed, ObservedContainer
from pybernetes.kubelet.plan import Facts, Plan, Waiting, plan
from pybernetes.kubelet.pod.act import Act
from pybernetes.kubelet.pod.alarm import Alarm
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.ending import Stopper
from pybernetes.kubelet.pod.looking import Looker
from pybernetes.kubelet.pod.memory import PodMemory, known_attempts
from pybernetes.kubelet.pod.orders import DEADLINE, Orders, deadline_left
from pybernetes.kubelet.pod.performing import Performer
from pybernetes.kubelet.pod.refreshing import Refresher
from pybernetes.kubelet.pod.resizer import Resizer
from pybernetes.kubelet.pod.telling import Teller
from pybernetes.kubelet.podspec import full_name, grace_seconds, is_static, is_terminal, uid_of
from pybernetes.kubelet.probes.worker import PodProbes
from pybernetes.kubelet.restart import RestartBackoff
from pybernetes.kubelet.status.conditions import OWNED
from pybernetes.kubelet.status.context import StatusContext, Verdict
from pybernetes.kubelet.volumes.files import VolumeError
from pybernetes.kubelet.volumes.podvolumes import PodVolumes

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
ENDING_LOOK_SECONDS = 0.2


class Stage(Enum):
    """Where the pod is in its life; it only goes on."""

    LIVING = "living"
    ENDING = "ending"
    """Its containers are being ended for good."""
    ENDED = "ended"
    """Nothing of it runs; its record and files are still here."""
    GONE = "gone"
    """Nothing is left of it on this node."""


class PodWorker:
    """Brings one pod to its desired state and keeps it there. `run` ends when nothing of it is left."""

    def __init__(self, doors: PodDoors, pod: v1.Pod, *, verdict: Verdict | None = None) -> None:
        """A `verdict` given from the start rejects the pod: it never runs here."""
        self.stage = Stage.LIVING
        self._orders, self._rejected = Orders(verdict), verdict is not None
        self._doors, self._pod = doors, pod
        self._memory = PodMemory(RestartBackoff(doors.restart_limit), attempts=known_attempts(pod.status))
        self._volumes = PodVolumes(doors.directory(uid_of(pod)), doors.volumes)
        self._stopper = Stopper(doors)
        self._resizer = Resizer(doors, self._memory, pod)
        self._performer = Performer(self, doors, self._memory, self._volumes, self._resizer)
        self._teller = Teller(doors)
        self._looker = Looker(doors)
        self._observed = Observed()
        self._wake = asyncio.Event()
        self._looked = asyncio.Event()
        """Set at the next look; then another takes its place."""
        self._act = Act(self.poke, self._act_failed)
        self._patience = Backoff(initial=RETRY_SECONDS, limit=60.0)
        self._refresher = Refresher(doors, self._memory, self._volumes)
        self._scope = Scope("unstarted")
        self._alarm = Alarm(self._scope, doors.clock, self.poke)
        self._probes: PodProbes | None = None
        self.poke()

    @property
    def pod(self) -> v1.Pod:
        """The pod as desired, with the resources that it has been granted and the status that this worker last made."""
        return self._teller.with_status(self._resizer.granted(self._pod))

    @property
    def is_refused(self) -> bool:
        """Whether it waits for resources that the node does not have now."""
        return self._resizer.resizing.refusal is not None

    @property
    def volume_paths(self) -> Mapping[str, Path]:
        """Where on the node the volumes are that have been set up, by name."""
        return self._volumes.paths

    @property
    def observed(self) -> Observed:
        return self._observed

    @property
    def ip(self) -> str:
        """Where its probes and hooks go: the address of its sandbox, or the node's; "" if it has none yet."""
        if self._pod.spec.host_network:
            return self._doors.host_ips[0] if self._doors.host_ips else "127.0.0.1"
        sandbox = self._observed.ready_sandbox
        return sandbox.network.ip if sandbox and sandbox.network else ""

    def poke(self) -> None:
        """Something may have changed: look again."""
        self._wake.set()

    def update(self, pod: v1.Pod, carrier: v1.Pod | None) -> None:
        """A newer version of the pod; `carrier` is the API object that carries its status, None if there is none."""
        before, self._pod = self._pod, pod
        old, new = before.metadata, pod.metadata
        if old.annotations != new.annotations or old.labels != new.labels:
            self._refresher.wanted = True
        if carrier is not None:
            self._teller.observe(carrier)
        if before.status.resource_claim_statuses != pod.status.resource_claim_statuses:
            self.retry()
        if self._refresher.wanted or _desire(before) != _desire(pod):
            self.poke()

    def runtime_changed(self) -> None:
        """The runtime told that a container ended. While all of them are being ended there is no hurry to look."""
        if self._act.grace is not None:
            self._alarm.set(ENDING_LOOK_SECONDS)
        else:
            self.poke()

    def retry(self) -> None:
        """What stood in the way may be gone."""
        self._memory.retry_now()
        self.poke()

    def objects_changed(self) -> None:
        """A ConfigMap or Secret that the pod refers to has changed."""
        self._refresher.wanted = True
        self.retry()

    def remove(self, last: v1.Pod | None = None) -> None:
        """The pod is no longer desired: end it and leave nothing."""
        if last is not None:
            self._pod = last
        self._orders.removed = True
        self.poke()

    def end(self, verdict: Verdict | None, grace: int | None = None) -> None:
        """End the pod's containers for good, with a verdict if it failed; the API object stays."""
        self._orders.end(verdict, grace if grace is not None else grace_seconds(self._pod))
        self.poke()

    def reject(self, verdict: Verdict) -> None:
        """It turned out that the pod cannot run here."""
        self._doors.counted.pod_rejected(verdict.reason)
        self._doors.events.pod(self._pod, WARNING, verdict.reason, verdict.message)
        self._rejected = True
        self.end(verdict)

    async def wait_exited(self, container_id: str) -> None:
        """Until the container does not run any more, as far as this worker has seen."""
        while not self.has_exited(container_id):
            await self._looked.wait()

    def has_exited(self, container_id: str) -> bool:
        """As of the last look."""
        attempt = self._observed.by_id(container_id)
        return attempt is None or not attempt.is_running or self.stage is Stage.GONE

    async def run(self) -> None:
        """Work until nothing is left of the pod. Errors of the runtime are tried again with back-off."""
        backoff = Backoff(initial=0.2, limit=10.0, jitter=0.2)
        async with open_scope(f"pod/{uid_of(self._pod)}") as scope:
            self._scope = scope
            self._alarm = Alarm(scope, self._doors.clock, self.poke)
            self._probes = PodProbes(self._doors.actions, self._doors.events, self._doors.clock, scope, self.poke)
            scope.spawn(self._teller.run(), "status")
            while self.stage is not Stage.GONE:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._sync()
                    backoff.reset()
                except* (CRIError, OSError, StatusError, VolumeError) as group:
                    self._note("sync failed", group)
                    self._alarm.set(backoff.next())

    async def _sync(self) -> None:
        """One look and one step."""
        self._observed = await self._looker.look(uid_of(self._pod))
        self._looked.set()
        self._looked = asyncio.Event()
        if self.stage is Stage.LIVING and self._must_end():
            self.stage = Stage.ENDING
        if self.stage is Stage.LIVING:
            await self._live()
        else:
            await self._end()

    # Living

    async def _live(self) -> None:
        probes = self._the_probes()
        probes.sync(self.pod, self._observed, self.ip)
        if is_terminal(self.pod) and not self._observed.running:
            self.stage = Stage.ENDING
            await self._end()
            return
        self._doors.objects.use(self._pod)
        self._refresher.begin(self._pod, runs=bool(self._observed.running))
        self._resizer.decide(self._pod, self._doors.room)
        decided = plan(self._resizer.granted(self._pod), self._observed, self._facts())
        self._resizer.note(self._pod, decided.resizing)
        self._tell_crash_loops(decided)
        if decided.finished:
            self.stage = Stage.ENDING
            await self._end()
            return
        self._publish(decided.waiting)
        if not self._act.is_running:
            if decided.actions:
                self._act.begin(self._scope, lambda: self._performer.perform(decided.actions))
            elif not decided.resizing and self._resizer.may_settle(self._pod):
                self._act.begin(self._scope, lambda: self._resizer.settle(self.pod, self._observed))
            elif self._refresher.is_due():
                self._act.begin(self._scope, lambda: self._refresher.refresh(self.pod))
        self._set_alarm(decided)

    def _facts(self) -> Facts:
        return Facts(
            now=self._now(),
            backoff=self._memory.backoff,
            attempts=self._memory.attempts,
            retry_at=self._memory.retry_at,
            is_started=self._is_started,
            unhealthy=self._the_probes().verdicts.unhealthy | self._memory.hook_failed,
            memory_capacity=self._doors.memory_capacity,
            resized=self._memory.resized,
            requested=self._memory.requested,
        )

    def _is_started(self, attempt: ObservedContainer) -> bool:
        return attempt.id not in self._memory.in_hook and self._the_probes().is_started(attempt)

    def _tell_crash_loops(self, decided: Plan) -> None:
        """One event for each time a container enters its back-off."""
        for name in decided.waiting.keys() - self._memory.crash_looping:
            message = f"Back-off restarting failed container {name} in pod {full_name(self._pod)}"
            self._doors.events.container(self._pod, name, WARNING, "BackOff", message)
        self._memory.crash_looping = set(decided.waiting)

    def _act_failed(self, group: BaseExceptionGroup[Exception]) -> None:
        self._note("act failed", group)
        # A driver that comes back is heard of, so one that is away for long need not be asked all the time.
        waits = group.subgroup(ClaimError) is not None
        self._alarm.set(self._patience.next() if waits else RETRY_SECONDS)

    # Ending

    def _must_end(self) -> bool:
        if self._orders.must_end(self._pod):
            return True
        left = self._deadline_left()
        if left is None or left > 0:
            return False
        self._orders.verdict = DEADLINE
        self._doors.events.pod(self._pod, NORMAL, DEADLINE.reason, DEADLINE.message)
        return True

    def _deadline_left(self) -> float | None:
        return deadline_left(self.pod, self._now())

    async def _end(self) -> None:
        self._the_probes().stop_liveness()
        if self._act.starts:
            await self._act.break_off()
            self.poke()
            return
        if self._observed.running or self._observed.ready_sandbox:
            self._publish({})
            await self._stop_with(self._orders.grace(self._pod))
            return
        if self._act.is_running:
            return
        if self._doors.claims.are_prepared_for(uid_of(self._pod)):
            self._publish({})
            self._act.begin(self._scope, lambda: self._doors.claims.unprepare(uid_of(self._pod)), 0)
            return
        self.stage = Stage.ENDED
        self._publish({})
        if self._orders.removed:
            await self._vanish()
        elif self._pod.metadata.deletion_timestamp and not is_static(self._pod):
            await self._teller.flush()
            await self._volumes.tear_down()
            await self._teller.delete()
        else:
            await self._volumes.tear_down()

    async def _stop_with(self, grace: int) -> None:
        """Begin to end everything; an act that gives longer is broken off."""
        if self._act.grace is not None and self._act.grace <= grace:
            return
        await self._act.break_off()
        self._act.begin(self._scope, lambda: self._stopper.stop_pod(self.pod, self._observed, grace), grace)

    async def _vanish(self) -> None:
        await self._stopper.remove_from_runtime(self._observed)
        await self._volumes.remove()
        await self._stopper.remove_logs(self._pod)
        self._doors.objects.release(uid_of(self._pod))
        self._doors.images.forget(uid_of(self._pod))
        self.stage = Stage.GONE

    # Telling and waking

    def _publish(self, waiting: dict[str, Waiting]) -> None:
        if self._orders.removed:
            return
        probes = self._the_probes()
        ended = self.stage is Stage.ENDED
        failures = {name: why for name, why in self._memory.failures.items() if name}
        self._teller.publish(
            hurried=self.stage is not Stage.ENDING,
            context=StatusContext(
                pod=self.pod,
                observed=self._observed,
                now=self._doors.clock.now(),
                runtime_name=self._doors.runtime_name,
                host_ips=self._doors.host_ips,
                waiting=failures | waiting,
                messages=self._looker.messages,
                is_started=self._is_started,
                is_ready=probes.is_ready,
                resizing=self._resizer.resizing,
                devices=self._devices,
                verdict=self._orders.verdict if ended else None,
                is_ending=self.stage is not Stage.LIVING,
                is_ended=ended,
                rejected=self._rejected,
            ),
        )

    def _devices(self, container: v1.Container) -> list[v1.ResourceStatus]:
        doors, pod = self._doors, self._pod
        return [*doors.devices.statuses(pod, container), *doors.claims.statuses(pod, container)]

    def _set_alarm(self, decided: Plan) -> None:
        due = [decided.wake_after, self._deadline_left(), self._resizer.retry_in() or None, *self._refresher.delays()]
        self._alarm.set(min((delay for delay in due if delay is not None), default=None))

    def _note(self, what: str, group: BaseExceptionGroup[Exception]) -> None:
        """Log errors once each; that the runtime is away is told by the one who waits for it."""
        for error in group.exceptions:
            level = logging.DEBUG if isinstance(error, UnavailableError) else logging.WARNING
            log.log(level, "%s pod=%s error=%s", what, full_name(self._pod), error)

    @property
    def probe_results(self) -> Mapping[tuple[str, str, str], int]:
        """See `PodProbes.results`."""
        return self._probes.results if self._probes is not None else {}

    def _the_probes(self) -> PodProbes:
        if self._probes is None:
            raise RuntimeError("the worker does not run")
        return self._probes

    def _now(self) -> float:
        return self._doors.clock.now().timestamp()


def _desire(pod: v1.Pod) -> object:
    """What of a pod others decide: a change of it is a reason to look, an echo of our own status is none."""
    meta = pod.metadata
    others = [condition for condition in pod.status.conditions if condition.type not in OWNED]
    return pod.spec, meta.deletion_timestamp, meta.deletion_grace_period_seconds, meta.generation, others
