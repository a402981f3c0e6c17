"""Pods: where in its life a pod is held up, and by what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import (
    config,
    crash,
    devices,
    image,
    names_asked,
    node,
    policy,
    probe,
    scheduling,
    terminating,
    volume,
)
from pybernetes.explain.causes import Cause, Finding, merged
from pybernetes.explain.snapshot import AnyContainer, Snapshot, condition, ref
from pybernetes.explain.steps import change
from pybernetes.explain.terms import count, duration, listed

RECENT_SECONDS = 600.0
SOON_SECONDS = 5.0
LATE_SECONDS = 60.0
"""An init container that runs for longer may be waiting for something that does not come."""


def explain(snapshot: Snapshot, pod: v1.Pod) -> Finding:
    """A pod from its scheduling to its readiness; the first thing that holds it up."""
    finding = _explain(snapshot, pod)
    return replace(finding, notes=(*finding.notes, *image.notes(pod.spec)))


def _explain(snapshot: Snapshot, pod: v1.Pod) -> Finding:
    if pod.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, pod)
    phase = pod.status.phase or "Pending"
    if phase == "Succeeded":
        return Finding(ref(pod), "has done its work and ended with exit code 0")
    if phase == "Failed":
        return Finding(ref(pod), f"has failed{_reason(pod)}", merged(_failed(snapshot, pod)))
    if not pod.spec.node_name:
        return scheduling.explain(snapshot, pod)
    if causes := tuple(node.not_ready(snapshot, pod.spec.node_name)):
        return Finding(ref(pod), f"is on node {pod.spec.node_name}, which does not answer", causes)
    if causes := merged(_held_up(snapshot, pod)):
        return Finding(ref(pod), _state(pod), causes)
    if condition_true(pod, "Ready"):
        causes, notes = names_asked.explain(snapshot, pod)
        return Finding(ref(pod), _running(snapshot, pod), causes, notes=(*notes, *policy.notes(snapshot, [pod])))
    if (waits := _initializing(snapshot, pod)) is not None:
        return waits
    return Finding(ref(pod), _progress(snapshot, pod), working=True)


def _initializing(snapshot: Snapshot, pod: v1.Pod) -> Finding | None:
    """A pod whose init container runs: on its way, unless that has been so for long, or asks for what is not there."""
    for container, status, is_init in containers(pod):
        running = status.state.running if status.state else None
        if not is_init or running is None or container.restart_policy == "Always":
            continue
        since = snapshot.age(running.started_at)
        facts = f"waits for its init container {container.name}, which runs for {duration(since)}"
        causes, notes = names_asked.explain(snapshot, pod, waits=since > SOON_SECONDS)
        if not causes and since > LATE_SECONDS:
            steps = (snapshot.command("logs", ref(pod), f"-c {container.name}    # what does it wait for?"),)
            causes = (Cause(f"init container {container.name} does not end", steps=steps),)
        return Finding(ref(pod), facts, causes, working=True, notes=notes)
    return None


def condition_true(pod: v1.Pod, type: str) -> bool:
    found = condition(pod.status.conditions, type)
    return found is not None and found.status == "True"


def containers(pod: v1.Pod) -> Iterator[tuple[AnyContainer, v1.ContainerStatus, bool]]:
    """Each container with its status, in the order of their starts, and whether it is an init container."""
    kinds = (
        (pod.spec.init_containers, pod.status.init_container_statuses, True),
        (pod.spec.containers, pod.status.container_statuses, False),
    )
    for specs, statuses, is_init in kinds:
        by_name = {status.name: status for status in statuses}
        for container in specs:
            if (status := by_name.get(container.name)) is not None:
                yield container, status, is_init


def kind_of(container: AnyContainer, is_init: bool) -> str:
    """What people call it: an init container that is to run on is a sidecar."""
    return "container" if not is_init else "sidecar" if container.restart_policy == "Always" else "init container"


def _failed(snapshot: Snapshot, pod: v1.Pod) -> Iterator[Cause]:
    said = pod.status.message or ""
    match pod.status.reason:
        case "Evicted":
            step = snapshot.command("describe", node.node_ref(pod.spec.node_name or ""))
            short = said.startswith("The node was low on resource")
            if short:
                yield Cause("the node was short of something and evicted it", seen=(said,), steps=(step,))
                return
            raised = change(snapshot, pod, instead="raise limits.ephemeral-storage (or an emptyDir's sizeLimit) in")
            yield Cause("it passed a limit on the node's disk", seen=(said,), steps=(raised,))
        case "DeadlineExceeded":
            seconds = pod.spec.active_deadline_seconds
            yield Cause(f"it was active longer than its activeDeadlineSeconds of {seconds}", seen=(said,), steps=(
                "raise activeDeadlineSeconds, or find out what takes so long: " + snapshot.command("logs", ref(pod)),))  # fmt: skip
        case None:
            for container, status, _ in containers(pod):
                ended = status.state.terminated if status.state else None
                if ended is not None and ended.exit_code != 0:
                    yield crash.explain(snapshot, pod, container, status, ended)
        case _ if (found := devices.rejected(pod)) is not None:
            yield found
        case _:
            yield Cause(f"the node did not take it: {pod.status.reason}", seen=(said,), steps=(
                snapshot.command("describe", ref(pod)),))  # fmt: skip


def _held_up(snapshot: Snapshot, pod: v1.Pod) -> Iterator[Cause]:
    """What keeps containers from running and being ready. An init container holds up all after it."""
    if (blocked := [*devices.explain(snapshot, pod), *volume.explain(snapshot, pod)]) and not any(
        s.state and s.state.running for _, s, _ in containers(pod)
    ):
        yield from blocked
        return
    for container, status, is_init in containers(pod):
        found = _container(snapshot, pod, container, status)
        if found is None:
            continue
        kind = kind_of(container, is_init)
        alone = len(pod.spec.init_containers) + len(pod.spec.containers) == 1
        yield found if alone else Cause(f"{kind} {container.name} {_does(status)}", because=(found,))
        if is_init:
            return
    ready = condition(pod.status.conditions, "Ready")
    if ready is not None and ready.reason == "ReadinessGatesNotReady":
        yield _gates(snapshot, pod, ready.message or "")


def _gates(snapshot: Snapshot, pod: v1.Pod, said: str) -> Cause:
    """Readiness gates whose condition nobody has set to True."""
    closed = [each.condition_type for each in pod.spec.readiness_gates if not condition_true(pod, each.condition_type)]
    what = f"a readiness gate is not passed: whoever is to set condition {listed(closed)} of the pod has not"
    said_true = f"""--subresource=status -p '{{"status":{{"conditions":[{{"type":"{(closed or ["TYPE"])[0]}","status":"True"}}]}}}}'"""
    return Cause(what, seen=(said,), steps=("does its controller run? By hand: " + snapshot.command("patch", ref(pod), said_true),))  # fmt: skip


def _container(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, status: v1.ContainerStatus) -> Cause | None:
    """What is wrong with one container, if anything."""
    state, last = status.state or v1.ContainerState(), status.last_state.terminated if status.last_state else None
    if waiting := state.waiting:
        if waiting.reason in image.REASONS:
            return image.explain(snapshot, pod, container, waiting)
        if waiting.reason in config.REASONS:
            return config.explain(snapshot, pod, container, waiting)
        if waiting.reason == "CrashLoopBackOff" and last is not None:
            return _ended(snapshot, pod, container, status, last)
        return None
    if (
        (ended := state.terminated)
        and (ended.exit_code != 0 or pod.spec.restart_policy == "Always")
        and not _is_done_init(pod, container, ended)
    ):
        return _ended(snapshot, pod, container, status, ended)
    if state.running is not None:
        if last is not None and snapshot.age(last.finished_at) < RECENT_SECONDS:
            return _ended(snapshot, pod, container, status, last)
        if not status.ready:
            return probe.not_ready(snapshot, pod, container, status)
    return None


def _is_done_init(pod: v1.Pod, container: AnyContainer, ended: v1.ContainerStateTerminated) -> bool:
    return ended.exit_code == 0 and any(init.name == container.name for init in pod.spec.init_containers)


def _ended(
    snapshot: Snapshot,
    pod: v1.Pod,
    container: AnyContainer,
    status: v1.ContainerStatus,
    last: v1.ContainerStateTerminated,
) -> Cause:
    """A container that was ended by a probe or a hook says so in an event; else it ended by itself."""
    return probe.killed(snapshot, pod, container, last) or crash.explain(snapshot, pod, container, status, last)


def _does(status: v1.ContainerStatus) -> str:
    state = status.state or v1.ContainerState()
    if state.waiting:
        return f"waits: {state.waiting.reason}"
    if state.terminated:
        return f"has ended: {state.terminated.reason}"
    if not status.ready:
        return "runs and is not ready"
    return f"was started again ({count(status.restart_count, 'restart')})"


def _reason(pod: v1.Pod) -> str:
    return f": {pod.status.reason}" if pod.status.reason else ""


def _state(pod: v1.Pod) -> str:
    """As `kubectl get pods` would call it."""
    for container, status, is_init in containers(pod):
        waiting = status.state.waiting if status.state else None
        if waiting and waiting.reason and not re.fullmatch("PodInitializing|ContainerCreating", waiting.reason):
            return f"waits: {waiting.reason}" + (f" of {kind_of(container, True)} {container.name}" if is_init else "")
    if any(status.state and status.state.running for _, status, _ in containers(pod)):
        if not condition_true(pod, "Ready"):
            return "runs, but is not ready"
        return f"runs, but was started again {count(sum(s.restart_count for _, s, _ in containers(pod)), 'time')}"
    return "does not start"


def _running(snapshot: Snapshot, pod: v1.Pod) -> str:
    started = condition(pod.status.conditions, "Ready")
    since = f" for {duration(snapshot.age(started.last_transition_time))}" if started else ""
    return f"runs and is ready{since}, on node {pod.spec.node_name}, {pod.status.pod_ip or 'without an address'}"


def _progress(snapshot: Snapshot, pod: v1.Pod) -> str:
    latest = next(iter(snapshot.events(pod)), None)
    doing = f": {latest.message}" if latest is not None else ""
    return f"is on its way for {duration(snapshot.age(pod.metadata.creation_timestamp))}{doing}"
