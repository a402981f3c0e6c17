"""Desired pod and observed containers in, actions out. Pure: everything that decides about a living pod is here."""

from collections.abc import Callable, Collection, Mapping
from zlib import crc32

from msgspec import Struct, field

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri.types import ContainerState
from pybernetes.kubelet import names
from pybernetes.kubelet.cgroups import container_request, container_resources
from pybernetes.kubelet.observed import Observed, ObservedContainer
from pybernetes.kubelet.podspec import AnyContainer, full_name, is_sidecar
from pybernetes.kubelet.resizing import is_off, needs_restart
from pybernetes.kubelet.restart import (
    RestartBackoff,
    asks_to_restart_all,
    may_restart_all,
    restarts_after_exit,
    should_run,
)  # fmt: skip

NANOSECONDS = 1e9


class StopContainer(Struct, frozen=True):
    """End a container; `message` is the event's."""

    id: str
    name: str
    message: str
    grace: int | None = None
    """Seconds; the pod's own grace if None."""
    resizes: bool = False
    """It is to start anew with other resources, which is no crash."""


class RemoveContainer(Struct, frozen=True):
    """Kill a container at once, if it runs, and leave nothing of it but its log: all of the pod begin anew."""

    id: str
    name: str


class StartContainer(Struct, frozen=True):
    """Create and start the next attempt of a container."""

    name: str
    attempt: int
    after_exit_at: float | None = None
    """When the attempt before ended, if there was one: it lengthens the back-off."""


class ResizeContainer(Struct, frozen=True):
    """Give a running container the resources that its pod has been granted."""

    id: str
    name: str


class RunSandbox(Struct, frozen=True):
    """Create the pod's sandbox, after stopping the ones before."""

    attempt: int
    changed: bool
    """A sandbox of this pod existed before."""


Action = StopContainer | RemoveContainer | StartContainer | ResizeContainer | RunSandbox


class Waiting(Struct, frozen=True):
    """Why a container does not run, as its status says."""

    reason: str
    message: str


class Facts(Struct, frozen=True):
    """What is known beside the runtime's answer, as of one moment."""

    now: float
    """Seconds of the wall clock."""
    backoff: RestartBackoff
    attempts: Mapping[str, int]
    """Container name -> attempts known from the API or the logs, for when the runtime has lost them."""
    retry_at: Mapping[str, float]
    """Container name -> when a start that failed before the container existed may be tried again."""
    is_started: Callable[[ObservedContainer], bool]
    """The startup probe has succeeded, or there is none, and the postStart hook is done."""
    unhealthy: Mapping[str, StopContainer]
    """Container id -> what to do with a container that failed its liveness or startup probe or postStart hook."""
    memory_capacity: int = 0
    """Of the node, in bytes."""
    resized: Collection[str] = ()
    """Ids of containers that were ended for other resources."""
    requested: Mapping[str, int] = {}
    """Container id -> the memory it has been told to request, which no cgroup knows."""


class Plan(Struct):
    """The next actions, in order, and what waits for time to pass."""

    actions: list[Action] = field(default_factory=list)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    wake_after: float | None = None
    """Seconds after which something is due even if nothing happens."""
    resizing: set[str] = field(default_factory=set)
    """Running containers whose resources are not yet what they should be."""
    finished: bool = False
    """No container is to run any more: what still runs (sidecars) is to end, and the sandbox with it."""

    def wake_in(self, seconds: float) -> None:
        self.wake_after = seconds if self.wake_after is None else min(self.wake_after, seconds)


def container_hash(container: AnyContainer) -> str:
    """Changes when a running container must be replaced: its name and image; all else is immutable or in place."""
    return format(crc32(f"{container.name}\0{container.image or ''}".encode()), "x")


def backoff_key(container: AnyContainer) -> str:
    """Under which a container's crashes are remembered: one that has been given another image begins anew."""
    return f"{container.name} {container_hash(container)}"


def plan(pod: v1.Pod, observed: Observed, facts: Facts) -> Plan:
    """Bring the pod one step on. Called again after every change, so a step need not be complete."""
    result = Plan()
    if may_restart_all(pod) and (removals := _removals(pod, observed)):
        result.actions += removals
        return result
    if observed.ready_sandbox is None or not _has_network(pod, observed):
        return _plan_sandbox(pod, observed, facts, result)
    planner = _Planner(pod, observed, facts, result)
    planner.plan_ephemeral()
    ready = planner.plan_init()
    if planner.init_failed:
        result.finished = True
    elif ready:
        planner.plan_regular()
    if result.finished:
        result.actions.clear()
    return result


def _removals(pod: v1.Pod, observed: Observed) -> list[Action]:
    """All containers, once one of them has asked for that by its exit; those that have are the last to go, so that
    what was begun is finished."""
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    asking = {c.name for c in containers if asks_to_restart_all(c, observed.latest(c.name))}
    if not asking:
        return []
    names_of = sorted((c.name for c in containers), key=lambda name: name in asking)
    return [RemoveContainer(each.id, name) for name in names_of for each in reversed(observed.history(name))]


def _has_network(pod: v1.Pod, observed: Observed) -> bool:
    sandbox = observed.ready_sandbox
    return bool(pod.spec.host_network or (sandbox and sandbox.network and sandbox.network.ip))


def _plan_sandbox(pod: v1.Pod, observed: Observed, facts: Facts, result: Plan) -> Plan:
    """No usable sandbox: a new one, unless everything that is to run has run already."""
    old = observed.sandbox
    attempt = (old.metadata.attempt + 1 if old.metadata else 1) if old else 0
    remaining = [c for c in pod.spec.containers if should_run(pod, c, observed.latest(c.name))]
    if old is not None and observed.containers and not remaining:
        result.finished = True
        return result
    if old is not None and observed.containers and pod.spec.restart_policy == "Never" and _init_failed(pod, observed):
        result.finished = True
        return result
    retry = facts.retry_at.get("")
    if retry is not None and retry > facts.now:
        result.wake_in(retry - facts.now)
        return result
    result.actions.append(RunSandbox(attempt, changed=old is not None))
    return result


def _init_failed(pod: v1.Pod, observed: Observed) -> bool:
    return any(
        latest is not None and latest.is_exited and latest.status.exit_code != 0
        for container in pod.spec.init_containers
        if not is_sidecar(container)
        for latest in [observed.latest(container.name)]
    )


class _Planner(Struct):
    pod: v1.Pod
    observed: Observed
    facts: Facts
    result: Plan
    init_failed: bool = False

    def plan_ephemeral(self) -> None:
        """Ephemeral containers run once, beside whatever else happens."""
        for container in self.pod.spec.ephemeral_containers:
            if self.observed.latest(container.name) is None:
                self._start(container)

    def plan_init(self) -> bool:
        """Init containers one after the other, sidecars kept running; True once regular containers may start."""
        initialised = any(self.observed.current(c.name) for c in self.pod.spec.containers)
        for container in self.pod.spec.init_containers:
            current = self.observed.current(container.name)
            if is_sidecar(container):
                if not self._keep_sidecar(container, current) and not initialised:
                    return False
            elif not initialised and not self._run_init(container, current):
                return False
        return True

    def _keep_sidecar(self, container: v1.Container, current: ObservedContainer | None) -> bool:
        """Whether the sidecar has started, so that the next container may."""
        if current is not None and current.is_running:
            self._check(container, current)
            return self.facts.is_started(current)
        self._start(container)
        return False

    def _run_init(self, container: v1.Container, current: ObservedContainer | None) -> bool:
        """Whether the init container has succeeded."""
        if current is not None and current.is_exited:
            if current.status.exit_code == 0:
                return True
            if not restarts_after_exit(self.pod, container, current.status.exit_code):
                self.init_failed = True
                return False
        if current is not None and current.is_running:
            self._check(container, current)
        else:
            self._start(container)
        return False

    def plan_regular(self) -> None:
        """Regular containers: all start together; the pod is finished when none is to run."""
        alive = False
        for container in self.pod.spec.containers:
            latest = self.observed.latest(container.name)
            current = self.observed.current(container.name)
            if current is not None and current.is_running:
                alive = True
                self._check(container, current)
            elif should_run(self.pod, container, latest):
                alive = True
                self._start(container)
        self.result.finished = not alive

    def _check(self, container: AnyContainer, current: ObservedContainer) -> None:
        """A running container is left alone unless its definition changed or a probe gave it up."""
        if stop := self.facts.unhealthy.get(current.id):
            self.result.actions.append(stop)
        elif _is_changed(container, current):
            message = f"Container {container.name} definition changed, will be restarted"
            self.result.actions.append(StopContainer(current.id, container.name, message))
        else:
            self._resize(container, current)

    def _resize(self, container: AnyContainer, current: ObservedContainer) -> None:
        wanted = container_resources(self.pod, container, self.facts.memory_capacity)
        off = is_off(container, wanted, current.status.resources)
        request = container_request(container, "memory").value
        if self.facts.requested.get(current.id, request) != request:
            off.add("memory")
        if not off:
            return
        self.result.resizing.add(container.name)
        if needs_restart(container, off):
            message = f"Container {container.name} resize requires restart"
            self.result.actions.append(StopContainer(current.id, container.name, message, resizes=True))
            return
        retry = self.facts.retry_at.get(resize_key(container.name), 0.0)
        if retry > self.facts.now:
            self.result.wake_in(retry - self.facts.now)
        else:
            self.result.actions.append(ResizeContainer(current.id, container.name))

    def _start(self, container: AnyContainer) -> None:
        latest = self.observed.latest(container.name)
        attempt = self._next_attempt(container.name, latest)
        finished_at = None
        if latest is not None and latest.is_exited and latest.id not in self.facts.resized:
            finished_at = latest.status.finished_at / NANOSECONDS
            if self._backs_off(container, finished_at):
                return
        retry = self.facts.retry_at.get(container.name)
        if retry is not None and retry > self.facts.now:
            self.result.wake_in(retry - self.facts.now)
            return
        self.result.actions.append(StartContainer(container.name, attempt, finished_at))

    def _next_attempt(self, name: str, latest: ObservedContainer | None) -> int:
        if latest is not None and latest.status.state == ContainerState.CONTAINER_CREATED:
            return latest.attempt
        known = self.facts.attempts.get(name)
        return max(latest.attempt + 1 if latest else 0, known + 1 if known is not None else 0)

    def _backs_off(self, container: AnyContainer, finished_at: float) -> bool:
        key = backoff_key(container)
        seconds = self.facts.backoff.remaining(key, finished_at, self.facts.now)
        if seconds <= 0:
            return False
        delay = _duration(self.facts.backoff.delay(key))
        self.result.waiting[container.name] = Waiting(
            "CrashLoopBackOff",
            f"back-off {delay} restarting failed container={container.name} pod={full_name(self.pod)}",
        )
        self.result.wake_in(seconds)
        return True


def resize_key(name: str) -> str:
    """Under which a failed resize of a container is remembered, apart from its failed starts."""
    return f"resize of {name}"


def _is_changed(container: AnyContainer, current: ObservedContainer) -> bool:
    from_label = current.status.annotations.get(names.CONTAINER_HASH)
    return from_label is not None and from_label != container_hash(container)


def _duration(seconds: float) -> str:
    """As Go prints it: 10s, 2m40s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
