"""The course of one pod: where in its stages it is, and when it goes on. Pure: time and chance are passed in.

Moments are seconds since 1970. A course goes on from moment to moment whatever the time between two looks, so that a
look that comes late finds what would have happened.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final

from msgspec import Struct, field

from pybernetes.simulator.stages import NOTHING, PULL, READY, RUN, START, STOP, Behaviour, Stage
from pybernetes.simulator.view import Container, Pod

FIRST_BACKOFF: Final = 10.0
LAST_BACKOFF: Final = 300.0
ERROR_SECONDS: Final = 1.0
"""How long a failed pull is shown as such before it is a back-off."""
NORMAL, WARNING = "Normal", "Warning"


class Step(Enum):
    """Where a pod is, all its containers together."""

    PULLING = "ContainerCreating"
    PULL_FAILED = "ErrImagePull"
    PULL_BACKOFF = "ImagePullBackOff"
    STARTING = "Starting"
    START_FAILED = "CreateContainerError"
    RUNNING = "Running"
    CRASHED = "CrashLoopBackOff"
    STOPPING = "Stopping"
    ENDED = "Ended"


class Said(Struct, frozen=True):
    """An event about the pod, or about one of its containers."""

    type: str
    reason: str
    message: str
    container: str = ""


class Exit(Struct, frozen=True):
    """How containers ended."""

    code: int
    reason: str
    started: float
    finished: float
    message: str = ""


class Course(Struct):
    """See the module. `at` is the next moment; infinite: nothing happens any more by itself."""

    pod: Pod
    behaviour: Behaviour
    began: float
    at: float = 0.0
    step: Step = Step.PULLING
    failures: dict[str, int] = field(default_factory=dict)
    """How often each stage has failed."""
    restarts: int = 0
    started: float = 0.0
    first_started: float = 0.0
    ready: bool = False
    reason: str = ""
    """Why the pod waits."""
    message: str = ""
    exit: Exit | None = None
    """How the containers ended, if they have; of those that run again, the last time."""
    exit_before: Exit | None = None
    """How the attempt before that one ended."""
    _ready_at: float = inf
    _exit_at: float = inf

    @property
    def concerned(self) -> str:
        """The container that alone fails or ends now; empty: all of them do."""
        match self.step:
            case Step.PULLING | Step.PULL_FAILED | Step.PULL_BACKOFF:
                return self.stage(PULL).container
            case Step.STARTING | Step.START_FAILED:
                return self.stage(START).container
            case Step.RUNNING if not self.ready:
                return self.stage(READY).container
            case Step.CRASHED | Step.RUNNING:
                return self.stage(RUN).container
        return ""

    @property
    def previous(self) -> Exit | None:
        """The attempt before the latest, which may have ended too."""
        return self.exit_before if self.exit is not None and self.exit.started == self.started else self.exit

    @property
    def is_deleted(self) -> bool:
        return self.pod.metadata.deletion_timestamp is not None

    @property
    def is_over(self) -> bool:
        return self.step is Step.ENDED

    def stage(self, name: str) -> Stage:
        return self.behaviour.stages.get(name, NOTHING)

    def begin(self, rng: random.Random) -> None:
        """From the start of a pod that was just bound."""
        self.at = self.began + self.stage(PULL).seconds(rng)

    def advance(self, now: float, rng: random.Random) -> list[Said]:
        """All that has happened until now."""
        said: list[Said] = []
        while self.at <= now:
            said += _NEXT[self.step](self, rng)
        return said

    def stop(self, now: float, rng: random.Random) -> list[Said]:
        """The pod is deleted: its containers are told to end, and get the pod's grace for it. Safe to repeat."""
        if self.step in (Step.STOPPING, Step.ENDED):
            return []
        grace = float(self.pod.metadata.deletion_grace_period_seconds or 0)
        if self.step is not Step.RUNNING:
            self.step, self.at = Step.ENDED, inf
            return []
        needed = self.stage(STOP).seconds(rng)
        killed = needed > grace or self.stage(STOP).fails(0, rng)
        self._exit_at = self.at = now + (grace if killed else needed)
        self.step = Step.STOPPING
        self.exit = Exit(137 if killed else 0, "Error" if killed else "Completed", self.started, self.at)
        names = [container.name for container in self.pod.spec.containers]
        return [Said(NORMAL, "Killing", f"Stopping container {name}", name) for name in names]

    def resume_running(self, *, ready: bool, rng: random.Random) -> None:
        """The containers run since `started`, as the pod's status says."""
        self.step, self.ready = Step.RUNNING, ready
        self.failures[RUN] = self.restarts
        self._exit_at = _exit_after(self, rng)
        self._ready_at = inf if ready else self.started + _until_ready(self, rng)
        self.at = min(self._ready_at, self._exit_at)

    def hold(self, name: str) -> int:
        """Count a failure of a stage; how often it had failed before."""
        before = self.failures.get(name, 0)
        self.failures[name] = before + 1
        return before


def backoff(failures: int) -> float:
    """Seconds after so many failures (from 0 on), as a kubelet waits: 10, 20, 40, up to 5 minutes."""
    return min(LAST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures, 10))


def _pulled(course: Course, rng: random.Random) -> list[Said]:
    stage, failed = course.stage(PULL), course.failures.get(PULL, 0)
    said: list[Said] = []
    if not stage.fails(failed, rng):
        course.step, course.reason, course.message = Step.STARTING, "", ""
        course.at += course.stage(START).seconds(rng)
        for container in course.pod.spec.containers:
            took = "Container image" if not stage.after else "Successfully pulled image"
            rest = "already present on machine" if not stage.after else f"in {stage.after:g}s"
            said.append(Said(NORMAL, "Pulled", f'{took} "{container.image}" {rest}', container.name))
        return said
    course.hold(PULL)
    course.step, course.reason, course.at = Step.PULL_FAILED, stage.fail, course.at + ERROR_SECONDS
    for container in _concerned(course):
        cause = (
            stage.message or f"rpc error: code = NotFound desc = failed to resolve image {container.image}: not found"
        )
        course.message = f'failed to pull image "{container.image}": {cause}'
        said.append(Said(NORMAL, "Pulling", f'Pulling image "{container.image}"', container.name))
        said.append(Said(WARNING, "Failed", f'Failed to pull image "{container.image}": {cause}', container.name))
        said.append(Said(WARNING, "Failed", f"Error: {stage.fail}", container.name))
    return said


def _concerned(course: Course) -> list[Container]:
    only = course.concerned
    return [container for container in course.pod.spec.containers if only in ("", container.name)]


def _pull_backoff(course: Course, rng: random.Random) -> list[Said]:
    said = []
    course.step, course.reason = Step.PULL_BACKOFF, "ImagePullBackOff"
    course.at += backoff(course.failures.get(PULL, 1) - 1)
    for container in _concerned(course):
        course.message = f'Back-off pulling image "{container.image}": {course.stage(PULL).fail}: {course.message}'
        said.append(Said(NORMAL, "BackOff", f'Back-off pulling image "{container.image}"', container.name))
        said.append(Said(WARNING, "Failed", "Error: ImagePullBackOff", container.name))
    return said


def _pull_again(course: Course, rng: random.Random) -> list[Said]:
    course.step = Step.PULLING
    course.at += course.stage(PULL).seconds(rng)
    return []


def _start(course: Course, rng: random.Random) -> list[Said]:
    stage = course.stage(START)
    if not stage.fails(course.failures.get(START, 0), rng):
        return _run(course, rng)
    before = course.hold(START)
    course.step, course.reason = Step.START_FAILED, stage.fail
    course.message = stage.message or "the container could not be made (simulated)"
    course.at += backoff(before)
    return [Said(WARNING, "Failed", f"Error: {course.message}", each.name) for each in _concerned(course)]


def _start_again(course: Course, rng: random.Random) -> list[Said]:
    course.step = Step.STARTING
    course.at += course.stage(START).seconds(rng)
    return []


def _run(course: Course, rng: random.Random) -> list[Said]:
    moment = course.at
    course.step, course.reason, course.message = Step.RUNNING, "", ""
    course.started, course.ready = moment, False
    course.first_started = course.first_started or moment
    course._ready_at = moment + _until_ready(course, rng)
    course._exit_at = _exit_after(course, rng)
    course.at = min(course._ready_at, course._exit_at)
    names = [container.name for container in course.pod.spec.containers]
    return [
        Said(NORMAL, reason, f"Container {word}", name)
        for name in names
        for reason, word in (("Created", "created"), ("Started", "started"))
    ]


def _exit_after(course: Course, rng: random.Random) -> float:
    """When the containers that were just started end; never, if servers have failed as often as they were to."""
    run = course.stage(RUN)
    goes_on = course.pod.spec.restart_policy == "Always" and run.times and course.failures.get(RUN, 0) >= run.times
    return inf if goes_on else course.started + run.seconds(rng)


def _until_ready(course: Course, rng: random.Random) -> float:
    """The stage's time; without one, until the readiness probes would ask first."""
    stage = course.behaviour.stages.get(READY)
    if stage is not None and (stage.after or stage.jitter):
        return stage.seconds(rng)
    probes = (container.readiness_probe for container in course.pod.spec.containers)
    return max((float(probe.initial_delay_seconds) for probe in probes if probe), default=0.0)


def _running(course: Course, rng: random.Random) -> list[Said]:
    """Whichever is due of becoming ready and ending."""
    if course._exit_at <= course._ready_at and course._exit_at < inf:
        return _exited(course, rng)
    stage = course.stage(READY)
    said: list[Said] = []
    if stage.fails(course.failures.get(READY, 0), rng):
        course.hold(READY)
        cause = stage.message or "HTTP probe failed with statuscode: 503"
        said = [
            Said(WARNING, "Unhealthy", f"Readiness probe failed: {cause}", each.name) for each in _concerned(course)
        ]
        course._ready_at = course.at + _period(course) if stage.times or stage.chance < 1 else inf
    else:
        course.ready, course._ready_at = True, inf
    course.at = min(course._ready_at, course._exit_at)
    return said


def _period(course: Course) -> float:
    probes = (container.readiness_probe for container in course.pod.spec.containers)
    return next((float(probe.period_seconds) for probe in probes if probe), FIRST_BACKOFF)


def _exited(course: Course, rng: random.Random) -> list[Said]:
    run, moment = course.stage(RUN), course._exit_at
    happens = run.happens(course.failures.get(RUN, 0), rng)
    if not happens and course.pod.spec.restart_policy == "Always":
        course._exit_at = moment + max(run.seconds(rng), ERROR_SECONDS)
        course.at = min(course._ready_at, course._exit_at)
        return []
    code = run.exit if happens else 0
    reason = (run.fail or "Error") if code else "Completed"
    course.hold(RUN)
    course.exit_before = course.exit
    course.exit = Exit(code, reason, course.started, moment, run.message if code else "")
    course.ready, course._ready_at, course._exit_at = False, inf, inf
    if not _restarts(course.pod.spec.restart_policy, code):
        course.step, course.at = Step.ENDED, inf
        return []
    delay = 0.0 if course.restarts == 0 else backoff(course.restarts - 1)
    course.step, course.at = Step.CRASHED, moment + delay
    if not delay:
        return []
    course.reason = "CrashLoopBackOff"
    metadata, said = course.pod.metadata, []
    for container in _concerned(course):
        pod = f"{metadata.name}_{metadata.namespace}({metadata.uid})"
        course.message = f"back-off {_go_duration(delay)} restarting failed container={container.name} pod={pod}"
        words = f"Back-off restarting failed container {container.name} in pod {pod}"
        said.append(Said(WARNING, "BackOff", words, container.name))
    return said


def _go_duration(seconds: float) -> str:
    """`10s`, `1m20s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _restarts(policy: str, code: int) -> bool:
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def _restart(course: Course, rng: random.Random) -> list[Said]:
    course.restarts += 1
    return _run(course, rng)


def _stopped(course: Course, rng: random.Random) -> list[Said]:
    course.step, course.at, course.ready = Step.ENDED, inf, False
    return []


_NEXT: Final[dict[Step, Callable[[Course, random.Random], list[Said]]]] = {
    Step.PULLING: _pulled,
    Step.PULL_FAILED: _pull_backoff,
    Step.PULL_BACKOFF: _pull_again,
    Step.STARTING: _start,
    Step.START_FAILED: _start_again,
    Step.RUNNING: _running,
    Step.CRASHED: _restart,
    Step.STOPPING: _stopped,
}
