"""Decisions as tables: a pod, what runs, and what is to be done."""

import msgspec
import pytest

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet import names
from pybernetes.kubelet.observed import Observed, ObservedContainer, observed_of
from pybernetes.kubelet.plan import (
    Action,
    Facts,
    Plan,
    RemoveContainer,
    RunSandbox,
    StartContainer,
    StopContainer,
    backoff_key,
    container_hash,
    plan,
)
from pybernetes.kubelet.restart import RestartBackoff, restarts_after_exit

from .world import a_container, a_pod

NOW = 1_000_000.0


def sandbox(attempt: int = 0, *, ready: bool = True, ip: str = "10.244.0.2") -> t.PodSandboxStatus:
    return t.PodSandboxStatus(
        id=f"s{attempt}",
        metadata=t.PodSandboxMetadata(attempt=attempt),
        state=t.PodSandboxState.SANDBOX_READY if ready else t.PodSandboxState.SANDBOX_NOTREADY,
        network=t.PodSandboxNetworkStatus(ip=ip),
    )


def attempt(
    container: v1.Container, number: int = 0, *, exit_code: int | None = None, of: str = "s0"
) -> ObservedContainer:
    running = exit_code is None
    status = t.ContainerStatus(
        id=f"{container.name}{number}",
        metadata=t.ContainerMetadata(name=container.name, attempt=number),
        state=t.ContainerState.CONTAINER_RUNNING if running else t.ContainerState.CONTAINER_EXITED,
        exit_code=exit_code or 0,
        finished_at=0 if running else int((NOW - 1) * 1e9),
        labels={names.CONTAINER_NAME: container.name},
        annotations={names.CONTAINER_HASH: container_hash(container)},
    )
    return ObservedContainer(of, status)


def decide(pod: v1.Pod, *present: t.PodSandboxStatus | ObservedContainer, **facts: object) -> Plan:
    observed: Observed = observed_of(
        [part for part in present if isinstance(part, t.PodSandboxStatus)],
        [part for part in present if isinstance(part, ObservedContainer)],
    )
    known: dict[str, object] = {
        "now": NOW, "backoff": RestartBackoff(), "attempts": {}, "retry_at": {},
        "is_started": lambda container: True, "unhealthy": {},
    }  # fmt: skip
    return plan(pod, observed, Facts(**(known | facts)))  # type: ignore[arg-type]


MAIN, INIT, SIDE = a_container(), a_container("i"), a_container("side", restart_policy="Always")
PLAIN = a_pod()
NEVER = a_pod(restart_policy="Never")
WITH_INIT = a_pod(init_containers=[INIT])
WITH_SIDECAR = a_pod(init_containers=[SIDE])


@pytest.mark.parametrize(
    ("pod", "present", "actions"),
    [
        (PLAIN, [], [RunSandbox(0, changed=False)]),
        (PLAIN, [sandbox()], [StartContainer("c", 0)]),
        (PLAIN, [sandbox(), attempt(MAIN)], []),
        (PLAIN, [sandbox(), attempt(MAIN, 2, exit_code=0)], [StartContainer("c", 3, NOW - 1)]),
        (PLAIN, [sandbox(ready=False), attempt(MAIN, exit_code=255)], [RunSandbox(1, changed=True)]),
        (PLAIN, [sandbox(ip="")], [RunSandbox(1, changed=True)]),
        (PLAIN, [sandbox(1), sandbox(0, ready=False), attempt(MAIN, exit_code=255)], [StartContainer("c", 1, NOW - 1)]),
        (NEVER, [sandbox(), attempt(MAIN, exit_code=1)], []),
        (WITH_INIT, [sandbox()], [StartContainer("i", 0)]),
        (WITH_INIT, [sandbox(), attempt(INIT)], []),
        (WITH_INIT, [sandbox(), attempt(INIT, exit_code=1)], [StartContainer("i", 1, NOW - 1)]),
        (WITH_INIT, [sandbox(), attempt(INIT, exit_code=0)], [StartContainer("c", 0)]),
        (WITH_INIT, [sandbox(), attempt(INIT, exit_code=0), attempt(MAIN)], []),
        (WITH_INIT, [sandbox(1), attempt(INIT, exit_code=0)], [StartContainer("i", 1, NOW - 1)]),
        (WITH_SIDECAR, [sandbox()], [StartContainer("side", 0)]),
        (WITH_SIDECAR, [sandbox(), attempt(SIDE)], [StartContainer("c", 0)]),
        (WITH_SIDECAR, [sandbox(), attempt(SIDE, exit_code=0), attempt(MAIN)], [StartContainer("side", 1, NOW - 1)]),
    ],
)  # fmt: skip
def test_the_next_step(
    pod: v1.Pod, present: list[t.PodSandboxStatus | ObservedContainer], actions: list[Action]
) -> None:
    assert decide(pod, *present).actions == actions


@pytest.mark.parametrize(
    ("pod", "present"),
    [
        (NEVER, [sandbox(), attempt(MAIN, exit_code=1)]),
        (NEVER, [sandbox(ready=False), attempt(MAIN, exit_code=0)]),
        (a_pod(restart_policy="Never", init_containers=[INIT]), [sandbox(), attempt(INIT, exit_code=1)]),
        (a_pod(restart_policy="OnFailure"), [sandbox(), attempt(MAIN, exit_code=0)]),
        (a_pod(restart_policy="Never", init_containers=[SIDE]), [sandbox(), attempt(SIDE), attempt(MAIN, exit_code=0)]),
    ],
)
def test_pods_that_are_finished(pod: v1.Pod, present: list[t.PodSandboxStatus | ObservedContainer]) -> None:
    decided = decide(pod, *present)
    assert decided.finished
    assert not decided.actions


def test_a_sidecar_that_has_not_started_holds_the_others_back() -> None:
    assert decide(WITH_SIDECAR, sandbox(), attempt(SIDE), is_started=lambda container: False).actions == []


def test_a_container_given_up_by_a_probe_is_stopped_first() -> None:
    stop = StopContainer("c0", "c", "Container c failed liveness probe, will be restarted", 30)
    assert decide(PLAIN, sandbox(), attempt(MAIN), unhealthy={"c0": stop}).actions == [stop]


def test_a_back_off_holds_the_container_and_sets_the_alarm() -> None:
    backoff = RestartBackoff()
    backoff.restarted(backoff_key(MAIN), NOW - 30, NOW - 20)
    decided = decide(PLAIN, sandbox(), attempt(MAIN, 1, exit_code=1), backoff=backoff)
    assert not decided.actions
    assert decided.wake_after == pytest.approx(9)
    assert decided.waiting["c"].reason == "CrashLoopBackOff"


def test_a_container_with_another_image_is_not_held_back_for_the_one_before() -> None:
    backoff = RestartBackoff()
    for crash in (300, 200, 100):
        backoff.restarted(backoff_key(MAIN), NOW - crash, NOW - crash)
    repaired = a_pod(containers=[msgspec.structs.replace(MAIN, image="repaired:2")])
    decided = decide(repaired, sandbox(), attempt(MAIN, 3, exit_code=1), backoff=backoff)
    assert decided.actions == [StartContainer("c", 4, NOW - 1)]
    assert decide(PLAIN, sandbox(), attempt(MAIN, 3, exit_code=1), backoff=backoff).actions == []


def test_a_failed_start_waits_for_its_time() -> None:
    decided = decide(PLAIN, sandbox(), retry_at={"c": NOW + 3})
    assert (decided.actions, decided.wake_after) == ([], 3)


def test_counts_go_on_where_the_api_knows_more_than_the_runtime() -> None:
    assert decide(PLAIN, sandbox(), attempts={"c": 4}).actions == [StartContainer("c", 5)]


def a_rule(action: str, operator: str, *values: int) -> v1.ContainerRestartRule:
    codes = v1.ContainerRestartRuleOnExitCodes(operator=operator, values=list(values))
    return v1.ContainerRestartRule(action=action, exit_codes=codes)


ASKING = a_container("asks", restart_policy="Never", restart_policy_rules=[a_rule("RestartAllContainers", "In", 42)])
TOGETHER = a_pod(restart_policy="Never", init_containers=[INIT, SIDE], containers=[ASKING, MAIN])


@pytest.mark.parametrize(
    ("code", "removed"),
    [
        # The one that asked goes last: until then it asks.
        (42, ["c0", "c1", "i0", "side0", "asks0"]),
        (1, None),
        (0, None),
        (None, None),
    ],
)
def test_an_exit_may_make_all_containers_begin_anew(code: int | None, removed: list[str] | None) -> None:
    others = [attempt(INIT, exit_code=0), attempt(SIDE), attempt(MAIN, exit_code=3), attempt(MAIN, 1)]
    actions = decide(TOGETHER, sandbox(), attempt(ASKING, exit_code=code), *others).actions
    assert [action.id for action in actions if isinstance(action, RemoveContainer)] == (removed or [])
    assert len(actions) == len(removed or [])


def test_back_off_doubles_up_to_its_limit() -> None:
    backoff, delays = RestartBackoff(), []
    for _ in range(7):
        backoff.restarted("c", NOW, NOW)
        delays.append(backoff.delay("c"))
    assert delays == [10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(
    ("pod_policy", "own", "rules", "code", "again"),
    [
        ("Always", None, [], 0, True),
        ("OnFailure", None, [], 0, False),
        ("Never", "Always", [], 0, True),
        ("Always", "Never", [], 1, False),
        ("Never", "Never", [("In", [42])], 42, True),
        ("Never", "Never", [("In", [42])], 1, False),
        ("Never", "Never", [("NotIn", [0, 1])], 2, True),
    ],
)
def test_restart_policies_and_rules(
    pod_policy: str, own: str | None, rules: list[tuple[str, list[int]]], code: int, again: bool
) -> None:
    made = [a_rule("Restart", operator, *values) for operator, values in rules]
    container = a_container(restart_policy=own, restart_policy_rules=made)
    assert restarts_after_exit(a_pod(restart_policy=pod_policy), container, code) is again
