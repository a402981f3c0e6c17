"""Repeats the probes of one pod's containers and keeps their verdicts."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.events import WARNING, Events
from pybernetes.kubelet.observed import Observed, ObservedContainer
from pybernetes.kubelet.plan import NANOSECONDS, StopContainer
from pybernetes.kubelet.podspec import AnyContainer, container_of, grace_seconds
from pybernetes.kubelet.probes.actions import Actions, Subject
from pybernetes.kubelet.probes.outcome import ActionError, Outcome

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.05
TELL_SECONDS = 1.0
"""A first probe that has failed for this long is told, though its period is not over."""
STARTUP, LIVENESS, READINESS = "Startup", "Liveness", "Readiness"


class Verdicts(Struct):
    """What the probes have found so far, by container id."""

    started: set[str] = field(default_factory=set)
    ready: set[str] = field(default_factory=set)
    unhealthy: dict[str, StopContainer] = field(default_factory=dict)


class _Probed(Struct):
    """A running container and the tasks that probe it."""

    tasks: list["asyncio.Task[None]"]
    started: asyncio.Event


class PodProbes:
    """The probes of one pod. `sync` starts those of running containers and stops those of ended ones."""

    def __init__(
        self, actions: Actions, events: Events, clock: Clock, scope: Scope, on_change: Callable[[], None]
    ) -> None:
        self.verdicts = Verdicts()
        self.results: Counter[tuple[str, str, str]] = Counter()
        """How often a probe of a container (its name, the kind) came out so: successful, failed or unknown."""
        self._actions, self._events, self._clock = actions, events, clock
        self._scope, self._on_change = scope, on_change
        self._probed: dict[str, _Probed] = {}
        self._pod: v1.Pod | None = None
        self._ip = ""

    def sync(self, pod: v1.Pod, observed: Observed, ip: str) -> None:
        """Probe what runs. What the API says is ready after a restart of the kubelet stays so until a probe fails."""
        self._pod, self._ip = pod, ip
        running = {attempt.id: attempt for attempt in observed.running}
        for container_id in [known for known in self._probed if known not in running]:
            self._forget(container_id)
        for container_id, attempt in running.items():
            container = container_of(pod, attempt.name)
            if container_id not in self._probed and container is not None:
                self._begin(pod, container, attempt)

    def stop_liveness(self) -> None:
        """The pod is being ended: nothing may restart its containers, and nothing more is told about them."""
        for probed in self._probed.values():
            for task in probed.tasks:
                if not task.get_name().endswith(READINESS):
                    task.cancel()

    def is_started(self, attempt: ObservedContainer) -> bool:
        return attempt.id in self.verdicts.started

    def is_ready(self, attempt: ObservedContainer) -> bool:
        return attempt.id in self.verdicts.ready

    def _begin(self, pod: v1.Pod, container: AnyContainer, attempt: ObservedContainer) -> None:
        known = _known_status(pod, container.name, attempt.id)
        probed = self._probed[attempt.id] = _Probed([], asyncio.Event())
        if container.startup_probe is None or (known and known.started):
            probed.started.set()
            self.verdicts.started.add(attempt.id)
        if container.readiness_probe is None or (known and known.ready):
            self.verdicts.ready.add(attempt.id)
        probes = {
            STARTUP: None if probed.started.is_set() else container.startup_probe,
            LIVENESS: container.liveness_probe,
            READINESS: container.readiness_probe,
        }
        for kind, probe in probes.items():
            if probe is not None:
                watch = _Watch(self, kind, probe, container, attempt, probed.started)
                probed.tasks.append(self._scope.spawn(watch.run(), f"{container.name}/{kind}"))

    def _forget(self, container_id: str) -> None:
        for task in self._probed.pop(container_id).tasks:
            task.cancel()
        self.verdicts.started.discard(container_id)
        self.verdicts.ready.discard(container_id)
        self.verdicts.unhealthy.pop(container_id, None)

    async def attempt(
        self, kind: str, probe: v1.Probe, container: AnyContainer, container_id: str
    ) -> Outcome | ActionError:
        """One probe; an action that cannot be carried out is an answer of its own."""
        outcome: Outcome | ActionError
        try:
            outcome = await self._actions.probe(probe, Subject(container, container_id, self._ip))
        except ActionError as error:
            outcome = error
        result = "unknown" if isinstance(outcome, ActionError) else "successful" if outcome.ok else "failed"
        self.results[container.name, kind, result] += 1
        return outcome

    def tell(self, container: AnyContainer, message: str, reason: str = "Unhealthy") -> None:
        if self._pod is not None:
            self._events.container(self._pod, container.name, WARNING, reason, message)

    def decide(self, kind: str, container: AnyContainer, container_id: str, ok: bool, grace: int | None) -> None:
        """A threshold is reached: change the verdict, and wake the pod's worker if it is a new one."""
        verdicts = self.verdicts
        before = (container_id in verdicts.started, container_id in verdicts.ready, container_id in verdicts.unhealthy)
        if kind == READINESS:
            (verdicts.ready.add if ok else verdicts.ready.discard)(container_id)
        elif not ok:
            message = f"Container {container.name} failed {kind.lower()} probe, will be restarted"
            verdicts.unhealthy[container_id] = StopContainer(container_id, container.name, message, grace)
        elif kind == STARTUP:
            verdicts.started.add(container_id)
            self._probed[container_id].started.set()
        after = (container_id in verdicts.started, container_id in verdicts.ready, container_id in verdicts.unhealthy)
        if before != after:
            self._on_change()

    def grace_of(self, probe: v1.Probe) -> int | None:
        """The probe's own grace, else the pod's."""
        if probe.termination_grace_period_seconds is not None:
            return probe.termination_grace_period_seconds
        return grace_seconds(self._pod) if self._pod else None

    @property
    def clock(self) -> Clock:
        return self._clock


def _known_status(pod: v1.Pod, name: str, container_id: str) -> v1.ContainerStatus | None:
    for status in [*pod.status.container_statuses, *pod.status.init_container_statuses]:
        if status.name == name and (status.container_id or "").endswith(f"://{container_id}"):
            return status
    return None


class _Watch(Struct):
    """One probe of one container attempt."""

    probes: PodProbes
    kind: str
    probe: v1.Probe
    container: AnyContainer
    attempt: ObservedContainer
    started: asyncio.Event
    successes: int = 0
    failures: int = 0

    async def run(self) -> None:
        """Probe until the container ends (then cancelled), or until the verdict is final."""
        clock = self.probes.clock
        await clock.sleep(self._initial_delay())
        if self.kind != STARTUP:
            await self.started.wait()
        period = self.probe.period_seconds or 10
        ok = await self._first(period)
        while not (self._count(ok) and self._is_final(ok)):
            await clock.sleep(period)
            ok = await self._once()

    def _initial_delay(self) -> float:
        """Counted from the container's start, not from the kubelet's.

        Without a delay of its own liveness is asked a period later: as with upstream, a server that is just starting
        is not taken for a dead one.
        """
        delay: float = self.probe.initial_delay_seconds or 0
        if not delay and self.kind == LIVENESS and self.started.is_set():
            delay = self.probe.period_seconds or 10
        age = self.probes.clock.now().timestamp() - self.attempt.status.started_at / NANOSECONDS
        return max(0.0, delay - age)

    async def _first(self, period: float) -> bool:
        """The first period's probe is repeated in quick succession, so that a server just starting is ready at once.

        It counts once, and is told once: as soon as it has failed for longer than a start should take. Not for exec,
        whose repetitions the container would see, nor for liveness.
        """
        clock, delay, waited, told = self.probes.clock, FIRST_RETRY_SECONDS, 0.0, False
        while True:
            outcome = await self.probes.attempt(self.kind, self.probe, self.container, self.attempt.id)
            ok = isinstance(outcome, Outcome) and outcome.ok
            is_last = ok or bool(self.probe.exec) or self.kind == LIVENESS or waited + delay >= period
            if not told and (is_last or waited >= TELL_SECONDS):
                told = True
                self._told(outcome)
            if is_last:
                return ok
            await clock.sleep(delay)
            waited, delay = waited + delay, min(delay * 1.5, 1.0)

    async def _once(self) -> bool:
        return self._told(await self.probes.attempt(self.kind, self.probe, self.container, self.attempt.id))

    def _told(self, outcome: Outcome | ActionError) -> bool:
        if isinstance(outcome, ActionError):
            self.probes.tell(self.container, f"{self.kind} probe errored and resulted in unknown state: {outcome}")
            return False
        if not outcome.ok:
            self.probes.tell(self.container, f"{self.kind} probe failed: {outcome.output}")
        elif outcome.warning:
            self.probes.tell(self.container, f"{self.kind} probe warning: {outcome.output}", "ProbeWarning")
        return outcome.ok

    def _count(self, ok: bool) -> bool:
        """Whether a threshold is reached; then the verdict is told."""
        self.successes = self.successes + 1 if ok else 0
        self.failures = 0 if ok else self.failures + 1
        threshold = (self.probe.success_threshold or 1) if ok else (self.probe.failure_threshold or 3)
        reached = (self.successes if ok else self.failures) >= threshold
        if reached:
            grace = self.probes.grace_of(self.probe)
            self.probes.decide(self.kind, self.container, self.attempt.id, ok, grace)
        return reached

    def _is_final(self, ok: bool) -> bool:
        """A started container stays started, and one given up is ended."""
        return (self.kind == STARTUP and ok) or (self.kind != READINESS and not ok)
