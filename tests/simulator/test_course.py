"""What a pod's status and events say at each moment of its course."""

from __future__ import annotations

import random
from math import inf
from typing import Any

import pytest

from pybernetes.api.time import format_time
from pybernetes.simulator.course import Course, Step
from pybernetes.simulator.parse import of_annotations
from pybernetes.simulator.pods import resume
from pybernetes.simulator.stages import defaults
from pybernetes.simulator.status import Place, status_of
from pybernetes.simulator.view import Container, Gate, Meta, Pod, PodSpec, PodStatus, Probe

BEGAN = 1_000_000.0
PLACE = Place("240.0.0.2", "241.0.0.1")


def pod(policy: str = "Always", names: str = "app", **spec: Any) -> Pod:
    made = [Container(name=name, image=f"{name}:1") for name in names.split()]
    return Pod(
        metadata=Meta(name="p", namespace="d", uid="u", generation=1),
        spec=PodSpec(node_name="sim-1", restart_policy=policy, **{"containers": made, **spec}),
    )


def course_of(subject: Pod, **annotations: str) -> Course:
    own, wrong = of_annotations({f"simulated.pybernetes.io/{name}": text for name, text in annotations.items()})
    assert not wrong
    made = Course(subject, own.under(defaults(subject.spec.restart_policy)), BEGAN)
    made.begin(random.Random(1))
    return made


def look(course: Course, seconds: float) -> tuple[str, list[str]]:
    """Phase and what `kubectl get pods` makes of the containers, and the reasons of the events until then."""
    said = course.advance(BEGAN + seconds, random.Random(1))
    status = status_of(course, PLACE, [], BEGAN + seconds)
    words = []
    for each in status["containerStatuses"]:
        (kind, state), ready = next(iter(each["state"].items())), "+" if each["ready"] else "-"
        word = state.get("reason", kind)
        words.append(
            f"{word}{ready}{each['restartCount']}" + (f"({state['exitCode']})" if kind == "terminated" else "")
        )
    return f"{status['phase']} {' '.join(words)}", [event.reason for event in said]


@pytest.mark.parametrize(
    ("policy", "annotations", "moments"),
    [
        ("Always", {}, {0: "Running running+0", 9999: "Running running+0"}),
        ("Never", {}, {0: "Running running+0", 1: "Succeeded Completed-0(0)"}),
        ("Always", {"pull": "after=2s", "start": "after=1s"},
         {1: "Pending ContainerCreating-0", 2: "Pending ContainerCreating-0", 3: "Running running+0"}),
        ("Always", {"pull": "fail=true,times=1"},
         {0: "Pending ErrImagePull-0", 1: "Pending ImagePullBackOff-0", 10: "Pending ImagePullBackOff-0",
          11: "Running running+0"}),
        ("Always", {"start": "fail=CreateContainerConfigError"},
         {0: "Pending CreateContainerConfigError-0", 1000: "Pending CreateContainerConfigError-0"}),
        ("Always", {"ready": "after=5s"}, {4: "Running running-0", 5: "Running running+0"}),
        ("Always", {"ready": "fail=true"}, {0: "Running running-0", 9999: "Running running-0"}),
        ("Always", {"ready": "fail=true,times=2"}, {19: "Running running-0", 20: "Running running+0"}),
        ("Always", {"run": "after=5s,fail=Error"},
         {4: "Running running+0", 5: "Running running+1", 10: "Running CrashLoopBackOff-1", 20: "Running running+2",
          25: "Running CrashLoopBackOff-2", 44: "Running CrashLoopBackOff-2", 45: "Running running+3"}),
        ("Always", {"run": "after=5s,fail=Error,times=1"}, {5: "Running running+1", 99999: "Running running+1"}),
        ("Never", {"run": "after=3s,fail=OOMKilled"}, {3: "Failed OOMKilled-0(137)"}),
        ("OnFailure", {"run": "after=3s,exit=2,times=1"}, {3: "Running running+1", 6: "Succeeded Completed-1(0)"}),
        ("OnFailure", {"run": "after=never"}, {9999: "Running running+0"}),
    ],
)  # fmt: skip
def test_course(policy: str, annotations: dict[str, str], moments: dict[float, str]) -> None:
    course = course_of(pod(policy), **annotations)
    assert {moment: look(course, moment)[0] for moment in moments} == moments


def test_a_late_look_finds_what_would_have_happened() -> None:
    course = course_of(pod(), run="after=5s,fail=Error")
    assert look(course, 20)[0] == "Running running+2"
    assert course.started == BEGAN + 20


def test_events() -> None:
    course = course_of(pod(), pull="fail=true,times=1")
    assert look(course, 0)[1] == ["Pulling", "Failed", "Failed"]
    assert look(course, 1)[1] == ["BackOff", "Failed"]
    assert look(course, 11)[1] == ["Pulled", "Created", "Started"]


def test_one_container_fails_and_the_other_runs() -> None:
    course = course_of(pod(names="app side"), run="after=5s,fail=Error,container=app")
    assert look(course, 10)[0] == "Running CrashLoopBackOff-1 running+0"
    course = course_of(pod(names="app side"), pull="fail=true,container=side")
    assert look(course, 0)[0] == "Pending running+0 ErrImagePull-0"


def test_readiness_waits_for_the_probe_and_for_gates() -> None:
    probed = Container(name="app", image="a", readiness_probe=Probe(initial_delay_seconds=7))
    gates = [Gate(condition_type="lb")]
    course = course_of(pod(containers=[probed], readiness_gates=gates))
    assert look(course, 6)[0] == "Running running-0"
    assert look(course, 7)[0] == "Running running+0"
    status = status_of(course, PLACE, [], BEGAN)
    found = {each["type"]: (each["status"], each.get("reason")) for each in status["conditions"]}
    assert found["ContainersReady"] == ("True", None)
    assert found["Ready"] == ("False", "ReadinessGatesNotReady")


def deleted(subject: Pod, grace: int) -> Pod:
    metadata = Meta(name="p", namespace="d", uid="u", deletion_timestamp="x", deletion_grace_period_seconds=grace)
    return Pod(metadata=metadata, spec=subject.spec, status=subject.status)


@pytest.mark.parametrize(("stop", "ends", "code"), [("after=0", 0, 0), ("after=2s", 2, 0), ("after=1m", 30, 137)])
def test_deletion_takes_what_the_containers_need_and_no_longer_than_the_grace(stop: str, ends: int, code: int) -> None:
    course = course_of(pod(), stop=stop)
    look(course, 0)
    course.pod = deleted(course.pod, 30)
    said = course.stop(BEGAN + 100, random.Random(1))
    assert [event.reason for event in said] == ["Killing"]
    assert course.at == BEGAN + 100 + ends
    course.advance(course.at, random.Random(1))
    assert course.is_over
    assert course.exit is not None
    assert course.exit.code == code
    assert course.at == inf


def test_transition_times_are_kept_where_nothing_changes() -> None:
    course = course_of(pod(), run="after=5s,fail=Error")
    course.advance(BEGAN, random.Random(1))
    first = status_of(course, PLACE, [], BEGAN)
    course.advance(BEGAN + 10, random.Random(1))
    then = status_of(course, PLACE, first["conditions"], BEGAN + 10)
    times = {each["type"]: each["lastTransitionTime"] for each in then["conditions"]}
    assert times["Initialized"] == format_time(BEGAN)
    assert times["Ready"] == format_time(BEGAN + 10)


def test_a_course_goes_on_from_the_status_that_it_has_written() -> None:
    subject = pod()
    before = course_of(subject, run="after=50s,fail=Error")
    before.advance(BEGAN + 50, random.Random(1))
    status = status_of(before, PLACE, [], BEGAN + 50)
    shown = PodStatus(phase=status["phase"], container_statuses=status["containerStatuses"], pod_ip=PLACE.pod_ip)
    after = Course(Pod(metadata=subject.metadata, spec=subject.spec, status=shown), before.behaviour, BEGAN + 60)
    assert resume(after, random.Random(1))
    assert (after.step, after.restarts, after.started, after.at) == (Step.RUNNING, 1, BEGAN + 50, BEGAN + 100)


def test_a_pause_between_attempts_goes_on_as_well() -> None:
    subject = pod(names="app side")
    before = course_of(subject, run="container=app,after=5s,fail=Error,times=3")
    before.advance(BEGAN + 26, random.Random(1))
    status = status_of(before, PLACE, [], BEGAN + 26)
    shown = PodStatus(phase=status["phase"], container_statuses=status["containerStatuses"], pod_ip=PLACE.pod_ip)
    after = Course(Pod(metadata=subject.metadata, spec=subject.spec, status=shown), before.behaviour, BEGAN + 40)
    assert resume(after, random.Random(1))
    again = status_of(after, PLACE, status["conditions"], BEGAN + 40)
    assert [again[name] for name in ("phase", "containerStatuses")] == [
        status[name] for name in ("phase", "containerStatuses")
    ]
    for moment in (44, 45, 60, 9999):
        assert look(after, moment)[0] == look(before, moment)[0]
