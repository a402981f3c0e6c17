"""Stages as they are written, in files and annotations, and the rules that choose them."""

from __future__ import annotations

from math import inf

import pytest

from pybernetes.simulator.parse import StagesError, of_annotations, stage_of, written
from pybernetes.simulator.rules import Outage, Subject, parse
from pybernetes.simulator.stages import Logs, Stage


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("after=2s", Stage(after=2)),
        ("after=1m30s, jitter=500ms", Stage(after=90, jitter=0.5)),
        ("after=never", Stage(after=inf)),
        ("fail=ErrImagePull,times=2", Stage(fail="ErrImagePull", times=2, exit=1)),
        ("fail=true", Stage(fail="ErrImagePull", exit=1)),
        ("fail=false", Stage()),
        ("fail=OOMKilled", Stage(fail="OOMKilled", exit=137)),
        ("fail=Error,exit=3,container=app,chance=20%", Stage(fail="Error", exit=3, container="app", chance=0.2)),
    ],
)
def test_stage_of_an_annotation(text: str, stage: Stage) -> None:
    assert stage_of(written(text), "pull") == stage


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pods: 3", "pods: a list of rules"),
        ("pods: [{pul: {}}]", "pods[0]: unknown field 'pul'"),
        ("pods: [{pull: {after: soon}}]", "pods[0].pull.after: 'soon' is no duration"),
        ("pods: [{pull: {after: -1}}]", "pods[0].pull.after: -1 is negative"),
        ("pods: [{run: {chance: 3}}]", "pods[0].run.chance: 3 is not between 0 and 1"),
        ("pods: [{run: {times: many}}]", "pods[0].run: invalid literal"),
        ("pods: [{pull: 3s}]", "pods[0].pull: a stage is a map"),
        ("pods: [{cpu: lots}]", "pods[0].cpu: 'lots' is no amount"),
        ("pods: [{match: {labels: 'a in'}}]", "pods[0].match.labels:"),
        ("pods: [{match: {label: a}}]", "pods[0].match: unknown field 'label'"),
        ("nodes: [{capacity: {pods: 300}}]", "addresses for 250 pods"),
        ("nodes: [{taints: [gpu]}]", "'gpu' is no taint"),
        ("pod: []", "the file: unknown field 'pod'; there are: pods, nodes"),
        ("[1", "expected"),
    ],
)
def test_a_wrong_file_says_where(text: str, words: str) -> None:
    with pytest.raises(StagesError) as error:
        parse(text)
    assert words in str(error.value)


def test_the_first_rule_that_says_it_decides() -> None:
    rules = parse("""
        pods:
        - match: {namespace: "shop*", image: "*flaky*"}
          pull: {fail: true, times: 2}
        - match: {labels: "app in (web)"}
          run: {after: 5s, exit: 1}
          logs: {lines: [a, b], every: 1s}
        - pull: {after: 1s}
          cpu: 80%
    """)
    flaky = rules.behaviour(Subject("p", {"app": "web"}, "shop-1", "n", ("registry/flaky:1",)))
    assert flaky.stages == {"pull": Stage(fail="ErrImagePull", times=2, exit=1), "run": Stage(after=5, exit=1)}
    assert flaky.logs == Logs(("a", "b"), 1.0)
    assert flaky.cpu == "80%"
    plain = rules.behaviour(Subject("p", {}, "default", "n", ("nginx",)))
    assert plain.stages == {"pull": Stage(after=1)}
    assert plain.logs is None


def test_nodes() -> None:
    (rule,) = parse("""
        nodes:
        - match: {name: "sim-1*"}
          capacity: {cpu: 64, memory: 262144Mi}
          taints: ["dedicated=gpu:NoSchedule"]
          zones: [north, south]
          unreachable: {after: 5m, for: 1m}
    """).of_node(Subject("sim-17", {}))
    assert rule.capacity == {"cpu": "64", "memory": "256Gi"}
    assert rule.taints == (("dedicated", "gpu", "NoSchedule"),)
    assert rule.unreachable == Outage(after=300, jitter=0, lasts=60, chance=1, message="")


def test_annotations_that_cannot_be_understood_are_told_and_the_others_count() -> None:
    prefix = "simulated.pybernetes.io"
    own, wrong = of_annotations(
        {f"{prefix}/pull": "after=soon", f"{prefix}/cpu": "100m", f"{prefix}/exec": "{ls: bin}"}
    )
    assert own.stages == {}
    assert own.cpu == "100m"
    assert own.exec == {"ls": "bin"}
    (said,) = wrong
    assert said.startswith(f"{prefix}/pull.after: 'soon' is no duration")
