"""The pods of the simulated nodes: each goes through its course, and its status says where it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from math import inf
from typing import Any, Final

from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.api import errors
from pybernetes.api.time import seconds
from pybernetes.api.tree import Tree
from pybernetes.client.codec import WatchEvent
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.simulator import usage
from pybernetes.simulator.course import WARNING, Course, Exit, Said, Step, backoff
from pybernetes.simulator.events import Events
from pybernetes.simulator.fleet import Fleet, Machine
from pybernetes.simulator.names import GROUP
from pybernetes.simulator.parse import of_annotations
from pybernetes.simulator.rules import Rules, Subject
from pybernetes.simulator.stages import RUN, UNSAID, Behaviour, defaults
from pybernetes.simulator.status import Place, status_of
from pybernetes.simulator.usage import Counter
from pybernetes.simulator.view import Pod
from pybernetes.simulator.writes import Writes

Key = tuple[str, str]
WORKERS: Final = 16
GONE: Final = (404, 409)


class Entry(Struct):
    """A pod in the table."""

    pod: Pod
    course: Course | None = None
    place: Place | None = None
    written: Tree | None = None
    """The status as it was last written."""
    cpu: dict[str, Counter] = field(default_factory=dict)
    """What each container has used until somebody asked last, or what it is to use changed."""

    @property
    def is_contradicted(self) -> bool:
        """Whether somebody says that the pod is not ready (the node controller, of a node that was silent), and it is."""
        if self.written is None:
            return False
        said, known = (_ready(each) for each in (self.written["conditions"], self.pod.status.conditions))
        return said == "True" and known == "False"

    def settle(self, now: float) -> None:
        """Count up to now, by what the containers use now."""
        if self.course is not None and self.course.started:
            for container in self.pod.spec.containers:
                rate = usage.cores(container, self.course.behaviour)
                self.cpu[container.name] = usage.counted(self.cpu.get(container.name), self.course.started, rate, now)


class Pods:
    """A sink of all bound pods, and the life of those on simulated nodes."""

    def __init__(
        self, writes: Writes, clock: Clock, events: Events, rules: Rules, fleet: Fleet, rng: random.Random
    ) -> None:  # fmt: skip
        self._writes, self._clock, self._events, self._rules = writes, clock, events, rules
        self._fleet, self._rng = fleet, rng
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._entries: dict[Key, Entry] = {}
        self._by_node: dict[str, set[Key]] = {}
        self.changed = asyncio.Event()
        """Set whenever a course goes on; whoever waits for one makes it anew."""
        fleet.on_change = self._node_changed

    def get(self, namespace: str, name: str) -> Entry | None:
        """A pod on a simulated node that speaks, whose course has begun."""
        entry = self._entries.get((namespace, name))
        if entry is None or entry.course is None:
            return None
        machine = self._fleet.machines.get(entry.pod.spec.node_name)
        return None if machine is None or machine.is_silent else entry

    def of_node(self, node: str) -> list[Entry]:
        return [self._entries[key] for key in sorted(self._by_node.get(node, ()))]

    def all(self) -> list[Entry]:
        """Of all simulated nodes."""
        return [entry for entry in self._entries.values() if entry.course is not None]

    # What the watch tells.

    def replace(self, objects: Sequence[Pod], resource_version: str) -> None:
        present = {pod.key for pod in objects}
        for key in self._entries.keys() - present:
            self._forget(key)
        for pod in objects:
            self._take(pod)

    def apply(self, event: WatchEvent[Pod]) -> None:
        if event.object is None:
            return
        if event.type == "DELETED":
            self._forget(event.object.key)
        else:
            self._take(event.object)

    def _take(self, pod: Pod) -> None:
        key = pod.key
        entry = self._entries.get(key)
        if entry is not None and entry.pod.metadata.uid != pod.metadata.uid:
            self._forget(key)
            entry = None
        if entry is None:
            self._entries[key] = Entry(pod)
            self._by_node.setdefault(pod.spec.node_name, set()).add(key)
            if pod.spec.node_name in self._fleet.machines:
                self._queue.add(key)
            return
        before, entry.pod = entry.pod, pod
        if entry.course is not None:
            entry.course.pod = pod
            if entry.is_contradicted:
                entry.written = {**(entry.written or {}), "conditions": pod.status.conditions}
                self._queue.add(key)
            if _orders(before) != _orders(pod):
                if before.metadata.annotations != pod.metadata.annotations:
                    entry.settle(self._clock.now().timestamp())
                    entry.course.behaviour = self._behaviour(pod)
                self._queue.add(key)

    def _forget(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        node = entry.pod.spec.node_name
        keys = self._by_node.get(node, set())
        keys.discard(key)
        if not keys:
            self._by_node.pop(node, None)
        machine = self._fleet.machines.get(node)
        if machine is not None and entry.place is not None and not entry.pod.spec.host_network:
            machine.free_address(entry.place.pod_ip)
        self._tell()

    def _node_changed(self, node: str) -> None:
        for key in self._by_node.get(node, ()):
            self._queue.add(key)

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    # What happens.

    async def run(self) -> None:
        """Until cancelled."""
        await run_workers(self._queue, self._reconcile, workers=WORKERS, name="simulated pods")

    async def _reconcile(self, key: Key) -> float | None:
        entry = self._entries.get(key)
        machine = self._fleet.machines.get(entry.pod.spec.node_name) if entry else None
        if entry is None or machine is None or machine.is_silent:
            return None
        now = self._clock.now().timestamp()
        said: list[Said] = []
        course = entry.course or self._begin(entry, machine, now, said)
        if course.is_deleted:
            said += course.stop(now, self._rng)
        said += course.advance(now, self._rng)
        await self._write(entry, course, now)
        self._events.pod(entry.pod, said)
        if course.is_over and course.is_deleted:
            await self._writes.delete_pod(entry.pod)
        if said or course.is_over:
            self._tell()
        return max(0.0, course.at - self._clock.now().timestamp()) if course.at < inf else None

    async def _write(self, entry: Entry, course: Course, now: float) -> None:
        """What has changed of the status. A pod that goes away with nothing left to hold it needs no last word."""
        if course.is_over and course.is_deleted and not entry.pod.metadata.finalizers:
            return
        assert entry.place is not None
        known = entry.written["conditions"] if entry.written else entry.pod.status.conditions
        status = status_of(course, entry.place, known, now)
        changed = {name: value for name, value in status.items() if (entry.written or {}).get(name) != value}
        if not changed:
            return
        try:
            await self._writes.patch_pod_status(entry.pod, changed)
        except errors.StatusError as error:
            if error.code not in GONE:
                raise
        entry.written = status

    def _begin(self, entry: Entry, machine: Machine, now: float, said: list[Said]) -> Course:
        """The course of a pod that was just bound, or the one that its status tells of."""
        pod = entry.pod
        behaviour = self._behaviour(pod, said)
        entry.place = self._place(pod, machine)
        course = Course(pod, behaviour, now)
        if resume(course, self._rng):
            entry.written = status_of(course, entry.place, pod.status.conditions, now)
        else:
            course.begin(self._rng)
        entry.course = course
        return course

    def _behaviour(self, pod: Pod, said: list[Said] | None = None) -> Behaviour:
        own, metadata = UNSAID, pod.metadata
        if any(name.startswith(GROUP) for name in metadata.annotations):
            own, wrong = of_annotations(metadata.annotations)
            if said is not None:
                said += [Said(WARNING, "InvalidSimulation", text) for text in wrong]
        if self._rules.pods:
            images = tuple(container.image for container in pod.spec.containers)
            subject = Subject(metadata.name, metadata.labels, metadata.namespace, pod.spec.node_name, images)
            own = own.under(self._rules.behaviour(subject))
        usual = defaults(pod.spec.restart_policy)
        return usual if own is UNSAID else own.under(usual)

    def _place(self, pod: Pod, machine: Machine) -> Place:
        if pod.spec.host_network:
            return Place(machine.address, machine.address)
        if pod.status.pod_ip:
            machine.keep_address(pod.status.pod_ip)
            return Place(pod.status.pod_ip, machine.address)
        return Place(machine.take_address(), machine.address)


def _ready(conditions: list[Tree]) -> str:
    return next((each.get("status", "") for each in conditions if each.get("type") == "Ready"), "")


def _orders(pod: Pod) -> tuple[Any, ...]:
    """What of a pod has a meaning for its course, or is shown in its status."""
    metadata = pod.metadata
    gates = [gate.condition_type for gate in pod.spec.readiness_gates]
    gated = [condition for condition in pod.status.conditions if condition.get("type") in gates] if gates else ()
    return (metadata.deletion_timestamp, metadata.finalizers, metadata.annotations, metadata.generation, gated)


def resume(course: Course, rng: random.Random) -> bool:
    """Go on from what the pod's status says: a simulator that starts again disturbs nothing. False for a new pod."""
    status = course.pod.status
    if status.phase in ("Succeeded", "Failed"):
        course.step, course.at = Step.ENDED, inf
        course.exit = _exit_of(status.container_statuses)
        return True
    if crashed := [each for each in status.container_statuses if _waits(each) == "CrashLoopBackOff"]:
        return _resume_crashed(course, crashed[0])
    running = [each["state"]["running"] for each in status.container_statuses if "running" in each.get("state", {})]
    if status.phase != "Running" or not running:
        return False
    first = status.container_statuses[0]
    course.began = course.first_started = course.started = min(seconds(each["startedAt"]) for each in running)
    course.restarts = max(int(each.get("restartCount", 0)) for each in status.container_statuses)
    course.resume_running(ready=bool(first.get("ready")), rng=rng)
    return True


def _waits(status: Tree) -> str:
    return str(status.get("state", {}).get("waiting", {}).get("reason", ""))


def _resume_crashed(course: Course, crashed: Tree) -> bool:
    """Between two attempts: the pause goes on from the end of the last one, which the status has as `lastState`."""
    ended = _exit_of([{"state": crashed.get("lastState", {})}])
    if ended is None:
        return False
    others = [each["state"]["running"] for each in course.pod.status.container_statuses if "running" in each["state"]]
    course.began = course.first_started = min([ended.started, *(seconds(each["startedAt"]) for each in others)])
    course.step, course.exit, course.started = Step.CRASHED, ended, ended.started
    course.restarts = int(crashed.get("restartCount", 0))
    course.failures[RUN] = course.restarts + 1
    course.at = ended.finished + backoff(max(0, course.restarts - 1))
    course.reason, course.message = "CrashLoopBackOff", str(crashed["state"]["waiting"].get("message", ""))
    return True


def _exit_of(statuses: list[Tree]) -> Exit | None:
    ended = [each["state"]["terminated"] for each in statuses if "terminated" in each.get("state", {})]
    if not ended:
        return None
    worst = max(ended, key=lambda each: int(each.get("exitCode", 0)))
    moments = [seconds(worst[name]) for name in ("startedAt", "finishedAt")]
    return Exit(
        int(worst["exitCode"]), str(worst.get("reason", "")), moments[0], moments[1], str(worst.get("message", ""))
    )
