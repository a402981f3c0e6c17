"""The status of a pod, as its kubelet would write it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct

from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.simulator.course import Course, Exit, Step
from pybernetes.simulator.stages import RUN
from pybernetes.simulator.view import Container, Pod

RUNTIME: Final = "simulated"
STARTED: Final = (Step.RUNNING, Step.CRASHED, Step.STOPPING, Step.ENDED)


class Place(Struct, frozen=True):
    """The addresses of a pod and of its node."""

    pod_ip: str
    host_ip: str


def status_of(course: Course, place: Place, known: list[Tree], now: float) -> Tree:
    """What the kubelet owns of the status; transition times of `known` conditions are kept where nothing has changed."""
    pod = course.pod
    statuses = [_container(course, container) for container in pod.spec.containers]
    phase = _phase(course, statuses)
    made: Tree = {
        "observedGeneration": pod.metadata.generation,
        "phase": phase,
        "conditions": list(_conditions(course, phase, statuses, known, now)),
        "hostIP": place.host_ip,
        "hostIPs": [{"ip": place.host_ip}],
        "startTime": pod.status.start_time or format_time(course.began),
        "containerStatuses": statuses,
    }
    if pod.spec.init_containers:
        made["initContainerStatuses"] = [_init(course, container) for container in pod.spec.init_containers]
    if _has_address(course):
        made |= {"podIP": place.pod_ip, "podIPs": [{"ip": place.pod_ip}]}
    return made


def _has_address(course: Course) -> bool:
    return course.pod.spec.host_network or course.step is not Step.PULLING


def _phase(course: Course, statuses: list[Tree]) -> str:
    if course.step is Step.ENDED:
        if course.exit is None:
            return "Failed" if course.is_deleted else "Pending"
        codes = [status["state"]["terminated"]["exitCode"] for status in statuses]
        return "Succeeded" if not any(codes) else "Failed"
    return "Running" if course.step in STARTED else "Pending"


def _container(course: Course, container: Container) -> Tree:
    concerned = course.concerned in ("", container.name)
    state = _state(course, container, concerned)
    runs = "running" in state
    begun = course.first_started > 0 or runs
    made: Tree = {
        "name": container.name,
        "state": state,
        "lastState": _last_state(course, container, concerned),
        "ready": runs and (course.ready or not concerned) and course.step is not Step.STOPPING,
        "restartCount": course.restarts if _counts(course, container) else 0,
        "image": container.image,
        "imageID": image_id(container.image) if begun else "",
        "started": runs,
    }
    if begun:
        made["containerID"] = f"{RUNTIME}://{_id(course.pod, container.name, made['restartCount'])}"
    if runs and (container.resources.requests or container.resources.limits):
        made["resources"] = _resources(container)
        if container.resources.requests:
            made["allocatedResources"] = container.resources.requests
    return made


def _counts(course: Course, container: Container) -> bool:
    return course.stage(RUN).container in ("", container.name)


def _resources(container: Container) -> Tree:
    given = {"requests": container.resources.requests, "limits": container.resources.limits}
    return {name: amounts for name, amounts in given.items() if amounts}


def _state(course: Course, container: Container, concerned: bool) -> Tree:
    if course.step is Step.ENDED and course.exit is not None:
        return {"terminated": _terminated(course, container)}
    if course.step in (Step.RUNNING, Step.STOPPING):
        return _running(course.started if concerned else course.first_started)
    if course.step is Step.CRASHED:
        if not concerned:
            return _running(course.first_started)
        if not course.reason and course.exit is not None:
            return {"terminated": _terminated(course, container)}
    elif not concerned:
        return _running(course.began)
    waiting = {
        "reason": course.reason or ("PodInitializing" if course.pod.spec.init_containers else "ContainerCreating")
    }
    if course.message:
        waiting["message"] = course.message
    return {"waiting": waiting}


def _running(since: float) -> Tree:
    return {"running": {"startedAt": format_time(since)}}


def _last_state(course: Course, container: Container, concerned: bool) -> Tree:
    """How the attempt before ended, of containers that run again or wait to."""
    ended = course.exit
    again = course.step is Step.RUNNING or (course.step is Step.CRASHED and course.reason)
    if ended is None or not concerned or not again or not (course.restarts or course.step is Step.CRASHED):
        return {}
    attempt = course.restarts - (course.step is Step.RUNNING)
    return {"terminated": _exit_tree(course.pod, ended, container.name, attempt)}


def _terminated(course: Course, container: Container) -> Tree:
    ended = course.exit
    assert ended is not None
    only = course.stage(RUN).container
    if only and only != container.name:
        ended = Exit(0, "Completed", course.first_started, ended.finished)
    return _exit_tree(course.pod, ended, container.name, course.restarts)


def _exit_tree(pod: Pod, ended: Exit, container: str, attempt: int) -> Tree:
    made: Tree = {
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": format_time(ended.started),
        "finishedAt": format_time(ended.finished),
        "containerID": f"{RUNTIME}://{_id(pod, container, attempt)}",
    }
    if ended.message:
        made["message"] = ended.message
    return made


def _init(course: Course, container: Container) -> Tree:
    """Init containers are done as soon as the images are there; sidecars run on."""
    begun = course.first_started > 0
    if not begun:
        state: Tree = {"waiting": {"reason": "PodInitializing"}}
    elif container.is_sidecar and course.step is not Step.ENDED:
        state = _running(course.first_started)
    else:
        ended = Exit(0, "Completed", course.first_started, course.first_started)
        state = {"terminated": _exit_tree(course.pod, ended, container.name, 0)}
    made: Tree = {
        "name": container.name,
        "state": state,
        "lastState": {},
        "ready": begun,
        "restartCount": 0,
        "image": container.image,
        "imageID": image_id(container.image) if begun else "",
        "started": "running" in state,
    }
    if begun:
        made["containerID"] = f"{RUNTIME}://{_id(course.pod, container.name, 0)}"
    return made


def _conditions(course: Course, phase: str, statuses: list[Tree], known: list[Tree], now: float) -> Iterator[Tree]:
    """The kubelet's five, in its order; transition times are kept, reasons that no longer hold are taken away."""
    standing = {condition.get("type"): condition for condition in known}
    for kind, holds, reason, message in _claims(course, phase, statuses):
        status, before = "True" if holds else "False", standing.get(kind) or {}
        is_same = before.get("status") == status
        made: Tree = {
            "type": kind,
            "status": status,
            "lastProbeTime": None,
            "lastTransitionTime": before["lastTransitionTime"] if is_same else format_time(now),
            "observedGeneration": course.pod.metadata.generation,
        }
        if reason or before.get("reason"):
            made["reason"] = reason or None
        if message or before.get("message"):
            made["message"] = message or None
        yield made


def _claims(course: Course, phase: str, statuses: list[Tree]) -> Iterator[tuple[str, bool, str, str]]:
    """Type, whether it holds, reason and message of each."""
    yield "PodReadyToStartContainers", _has_address(course) and course.step is not Step.ENDED, "", ""
    if course.pod.spec.init_containers and not course.first_started:
        names = [container.name for container in course.pod.spec.init_containers]
        words = f"containers with incomplete status: {_listed(names)}"
        yield "Initialized", False, "ContainersNotInitialized", words
    else:
        yield "Initialized", True, "PodCompleted" if phase == "Succeeded" else "", ""
    reason, message = _unready(phase, statuses)
    gated = "" if reason else _gated(course)
    if gated:
        yield "Ready", False, "ReadinessGatesNotReady", gated
    else:
        yield "Ready", not reason, reason, message
    yield "ContainersReady", not reason, reason, message
    yield "PodScheduled", True, "", ""


def _unready(phase: str, statuses: list[Tree]) -> tuple[str, str]:
    if phase == "Succeeded":
        return "PodCompleted", ""
    if phase == "Failed":
        return "PodFailed", ""
    unready = [status["name"] for status in statuses if not status["ready"]]
    return ("ContainersNotReady", f"containers with unready status: {_listed(unready)}") if unready else ("", "")


def _gated(course: Course) -> str:
    said: list[str] = []
    if not course.pod.spec.readiness_gates:
        return ""
    known = {condition.get("type"): condition for condition in course.pod.status.conditions}
    for gate in course.pod.spec.readiness_gates:
        found = known.get(gate.condition_type)
        if found is None:
            said.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif found.get("status") != "True":
            said.append(
                f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {found.get("status")}'
            )
    return ", ".join(said)


def _listed(names: Iterable[str]) -> str:
    return f"[{' '.join(names)}]"


@lru_cache(1024)
def image_id(image: str) -> str:
    """What a registry's digest would look like; the same for the same name."""
    name = image.partition("@")[0]
    base = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return f"{base}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _id(pod: Pod, container: str, attempt: int) -> str:
    return hashlib.sha256(f"{pod.metadata.uid}/{container}/{attempt}".encode()).hexdigest()
