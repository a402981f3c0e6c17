"""When a Job has failed or is done, how many pods it wants, and how long it waits: pure decisions."""

from typing import Any

import msgspec
import pytest
from tests.controllers.jobs import NOW, ended, failure_policy, indexed, job, on_exit, pod

from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers.job import backoff, indexes, make, plan, policies
from pybernetes.controllers.job.backoff import Backoff
from pybernetes.controllers.job.plan import Ending, Tally, View


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([0, 1], "0,1"), ([0, 1, 2, 3, 7], "0-3,7"), ([5, 4, 6, 9, 10], "4-6,9,10")]
)  # fmt: skip
def test_indexes_are_written_as_ranges(numbers: list[int], text: str) -> None:
    assert indexes.render(numbers) == text
    assert indexes.parse(text) == set(numbers)


EMPTY = View()
RUNNING = View(active=(pod("p"),))
SINCE = {"start_time": "2026-01-01T00:00:00Z"}


DISRUPTED = batch_v1.PodFailurePolicyRule(
    action="Ignore", on_pod_conditions=[batch_v1.PodFailurePolicyOnPodConditionsPattern(type="DisruptionTarget")]
)


@pytest.mark.parametrize(
    ("spec", "tally", "view", "expected"),
    [
        ({"completions": 3}, Tally(succeeded=2), RUNNING, None),
        ({"completions": 3}, Tally(succeeded=3), EMPTY, "CompletionsReached"),
        ({}, Tally(succeeded=1), RUNNING, None),
        ({}, Tally(succeeded=1), EMPTY, "CompletionsReached"),
        ({"completions": 1, "backoff_limit": 0}, Tally(failed=1), EMPTY, "BackoffLimitExceeded"),
        ({"completions": 1}, Tally(failed=6), EMPTY, None),
        ({"completions": 1}, Tally(failed=7), EMPTY, "BackoffLimitExceeded"),
        ({"completions": 1, "active_deadline_seconds": 60}, Tally(), RUNNING, "DeadlineExceeded"),
        ({"completions": 1, "active_deadline_seconds": 900}, Tally(), RUNNING, None),
        ({"completions": 1, "active_deadline_seconds": 60, "suspend": True}, Tally(), RUNNING, None),
    ],
)  # fmt: skip
def test_counts_decide_how_a_job_ends(spec: dict[str, Any], tally: Tally, view: View, expected: str | None) -> None:
    ending = plan.ending_of(job(batch_v1.JobStatus(**SINCE), **spec), view, tally, NOW)
    assert (ending.reason if ending else None) == expected


def test_an_end_that_was_announced_stays_the_end() -> None:
    told = batch_v1.JobCondition(type="FailureTarget", status="True", reason="PodFailurePolicy", message="m")
    ending = plan.ending_of(job(batch_v1.JobStatus(conditions=[told])), EMPTY, Tally(succeeded=9), NOW)
    assert ending == Ending("Failed", "PodFailurePolicy", "m")


@pytest.mark.parametrize(("limit", "restarts", "fails"), [(0, 0, False), (0, 1, True), (3, 2, False), (3, 3, True)])
def test_restarts_in_place_are_failures(limit: int, restarts: int, fails: bool) -> None:
    status = core_v1.ContainerStatus(name="c", restart_count=restarts, image="i", image_id="", ready=True)
    running = msgspec.structs.replace(pod("p"), status=core_v1.PodStatus(phase="Running", container_statuses=[status]))
    made = job(backoff_limit=limit)
    template = core_v1.PodTemplateSpec(spec=core_v1.PodSpec(containers=[], restart_policy="OnFailure"))
    made = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, template=template))
    assert (plan.ending_of(made, View(active=(running,)), Tally(), NOW) is not None) == fails


@pytest.mark.parametrize(
    ("rules", "code", "action", "message"),
    [
        ((), 1, "Count", ""),
        ((on_exit("FailJob", 42),), 1, "Count", ""),
        ((on_exit("FailJob", 42),), 42, "FailJob", "Container c for pod n/p failed with exit code 42 matching FailJob rule at index 0"),
        ((on_exit("Ignore", 1), on_exit("FailJob", 42)), 42, "FailJob", "Container c for pod n/p failed with exit code 42 matching FailJob rule at index 1"),
        ((on_exit("Ignore", 1, 2, operator="NotIn"),), 3, "Ignore", "Container c for pod n/p failed with exit code 3 matching Ignore rule at index 0"),
        ((on_exit("FailJob", 3, container="other"),), 3, "Count", ""),
        ((on_exit("FailIndex", 3),), 3, "Count", ""),
    ],
)  # fmt: skip
def test_exit_codes_decide_about_a_failure(
    rules: tuple[batch_v1.PodFailurePolicyRule, ...], code: int, action: str, message: str
) -> None:
    failed = ended(pod("p", "Failed"), code)
    match = policies.judge(job(pod_failure_policy=failure_policy(*rules)), failed)
    assert (match.action, match.message) == (action, message)


def test_a_disrupted_pod_can_be_ignored() -> None:
    claim = core_v1.PodCondition(type="DisruptionTarget", status="True")
    evicted = msgspec.structs.replace(pod("p"), status=core_v1.PodStatus(phase="Failed", conditions=[claim]))
    made = job(pod_failure_policy=failure_policy(DISRUPTED))
    view = plan.view_of(made, [evicted, pod("q", "Failed")])
    assert plan.tally_of(made, view).failed == 1
    noted = plan.uncounted(made, view.failed)
    assert noted.failed == ["q"]


@pytest.mark.parametrize(
    ("count", "wanted", "done", "expected"),
    [
        (1, None, {4}, 0), (2, None, {4}, None), (None, "0-2", {0, 1, 2, 7}, 0), (None, "0-2", {0, 1}, None),
        (2, "0-2", {0, 2}, 0), (2, "0-2", {0, 5, 6}, None), (None, "x", {0}, None), (1, None, set(), None),
    ],
)  # fmt: skip
def test_a_success_policy_is_met_by_the_right_indexes(
    count: int | None, wanted: str | None, done: set[int], expected: int | None
) -> None:
    rule = batch_v1.SuccessPolicyRule(succeeded_count=count, succeeded_indexes=wanted)
    assert policies.success_rule(batch_v1.SuccessPolicy(rules=[rule]), done) == expected


@pytest.mark.parametrize(
    ("spec", "succeeded", "active", "expected"),
    [
        ({"parallelism": 3, "completions": 10}, 0, 0, 3),
        ({"parallelism": 3, "completions": 10}, 9, 3, 1),
        ({"parallelism": 3}, 0, 1, 3),
        ({"parallelism": 3}, 1, 2, 2),
        ({"parallelism": 3, "suspend": True}, 0, 3, 0),
    ],
)
def test_how_many_pods_should_run(spec: dict[str, Any], succeeded: int, active: int, expected: int) -> None:
    assert plan.wanted_active(job(**spec), Tally(succeeded=succeeded), active) == expected


def test_each_pod_counts_once() -> None:
    pods = [pod("a", "Succeeded"), pod("b", "Succeeded", bound=False), pod("c", "Failed"), pod("d", deleting=True), pod("e")]  # fmt: skip
    noted = batch_v1.UncountedTerminatedPods(succeeded=["b"])
    before = job(batch_v1.JobStatus(succeeded=1, uncounted_terminated_pods=noted))
    view = plan.view_of(before, pods)
    tally = plan.tally_of(before, view)
    assert (tally.succeeded, tally.failed) == (3, 2)
    pending = plan.uncounted(before, [*view.succeeded, *view.failed])
    assert (pending.succeeded, pending.failed) == (["b", "a"], ["c", "d"])
    after = plan.counted(job(batch_v1.JobStatus(succeeded=1, uncounted_terminated_pods=pending)), tally)
    assert (after.succeeded, after.failed) == (3, 2)


@pytest.mark.parametrize(("policy", "failed", "terminating"), [(None, 1, 0), ("Failed", 0, 1)])
def test_a_pod_that_is_being_deleted_has_failed_unless_it_is_waited_for(
    policy: str | None, failed: int, terminating: int
) -> None:
    view = plan.view_of(job(pod_replacement_policy=policy), [pod("d", deleting=True)])
    assert (len(view.failed), len(view.terminating)) == (failed, terminating)


PER_INDEX = {"completions": 4, "completion_mode": "Indexed", "backoff_limit_per_index": 1}


@pytest.mark.parametrize(
    ("spec", "pods", "lost", "ending"),
    [
        ({}, [indexed("a", 0, 0, phase="Failed")], set(), None),
        ({}, [indexed("a", 0, 1, phase="Failed")], {0}, None),
        ({"max_failed_indexes": 0}, [indexed("a", 0, 1, phase="Failed")], {0}, "MaxFailedIndexesExceeded"),
        ({}, [indexed(str(n), n, 1, phase="Failed" if n else "Succeeded") for n in range(4)], {1, 2, 3}, "FailedIndexes"),
        ({"pod_failure_policy": failure_policy(on_exit("FailIndex", 9))}, [ended(indexed("a", 2, 0, phase="Failed"), 9)], {2}, None),
        ({"pod_failure_policy": failure_policy(on_exit("Ignore", 9))}, [ended(indexed("a", 2, 5, phase="Failed"), 9)], set(), None),
    ],
)  # fmt: skip
def test_failures_are_counted_per_index(
    spec: dict[str, Any], pods: list[core_v1.Pod], lost: set[int], ending: str | None
) -> None:
    made = job(backoff_limit=99, **PER_INDEX, **spec)
    view = plan.view_of(made, pods)
    tally = plan.tally_of(made, view)
    assert tally.lost == lost
    found = plan.ending_of(made, view, tally, NOW)
    assert (found.reason if found else None) == ending


def test_a_failed_pod_keeps_its_finalizer_until_its_successor_is_made() -> None:
    made = job(backoff_limit=99, **PER_INDEX)
    older, newer = indexed("a", 0, 0, phase="Failed"), ended(indexed("b", 1, 0, phase="Failed"), 1)
    view = plan.view_of(made, [older, newer, indexed("c", 0, 1)])
    tally = plan.tally_of(made, view)
    last = plan.last_failures(made, view, tally)
    assert {index: found.metadata.name for index, found in last.items()} == {1: "b"}
    # Five of ten seconds are left for index 1; 2 and 3 have never failed.
    assert plan.next_indexes(made, view, tally, 4, last, NOW) == ([2, 3], 0.0)
    assert plan.next_indexes(made, view, tally, 1, last, NOW) == ([], 5.0)
    successor = make.pod_of_index(made, 1, newer)
    assert successor.metadata.annotations[backoff.FAILURES] == "1"


def test_an_ignored_failure_is_carried_on_apart() -> None:
    made = job(backoff_limit=99, **PER_INDEX, pod_failure_policy=failure_policy(on_exit("Ignore", 9)))
    successor = make.pod_of_index(made, 1, ended(indexed("b", 1, 2, phase="Failed"), 9))
    assert successor.metadata.annotations == {
        indexes.ANNOTATION: "1", backoff.FAILURES: "2", backoff.IGNORED_FAILURES: "1"
    }  # fmt: skip


def test_pods_without_an_index_or_with_one_twice_go() -> None:
    made = job(completions=2, completion_mode="Indexed", parallelism=2)
    view = View(active=[indexed("a", 0), indexed("b", 0), indexed("c", 5), pod("d"), indexed("e", 1)])
    gone = {found.metadata.name for found in plan.victims(made, view, 2, NOW)}
    assert gone in ({"a", "c", "d"}, {"b", "c", "d"})


@pytest.mark.parametrize(("failed", "expected"), [(0, 0), (1, 10), (2, 20), (4, 80), (9, 600)])
def test_failures_slow_a_job_down(failed: int, expected: float) -> None:
    assert Backoff(failed, NOW).seconds_left(NOW) == expected


def test_a_success_ends_the_back_off() -> None:
    first, later = (ended(pod("a", "Failed"), 1, at=f"2026-01-01T00:0{n}:00Z") for n in (1, 5))
    success = ended(pod("s", "Succeeded"), 0, at="2026-01-01T00:03:00Z")
    assert Backoff(3, NOW).after([success], []) == Backoff()
    assert Backoff(3, NOW).after([success], [first, later]) == Backoff(1, backoff.finished_at(later))
    assert Backoff(3, NOW).after([], [first]) == Backoff(4, backoff.finished_at(first))
