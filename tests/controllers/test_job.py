"""Jobs: indexes, counts and endings as tables, then on a real API server."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.client.patch import PatchType
from pybernetes.controllers.job import backoff, indexes, make, plan, policies
from pybernetes.controllers.job.backoff import Backoff
from pybernetes.controllers.job.plan import Ending, Tally, View

NOW = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([0, 1], "0,1"), ([0, 1, 2, 3, 7], "0-3,7"), ([5, 4, 6, 9, 10], "4-6,9,10")]
)  # fmt: skip
def test_indexes_are_written_as_ranges(numbers: list[int], text: str) -> None:
    assert indexes.render(numbers) == text
    assert indexes.parse(text) == set(numbers)


def job(status: batch_v1.JobStatus | None = None, **spec: Any) -> batch_v1.Job:
    template = core_v1.PodTemplateSpec(spec=core_v1.PodSpec(containers=[], restart_policy="Never"))
    return batch_v1.Job(
        metadata=meta_v1.ObjectMeta(name="j"), spec=batch_v1.JobSpec(template=template, **spec), status=status or batch_v1.JobStatus()
    )  # fmt: skip


def pod(name: str, phase: str = "Running", *, deleting: bool = False, bound: bool = True) -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(
        name=name, namespace="n", uid=name, finalizers=[plan.FINALIZER] if bound else [], deletion_timestamp="2026-01-01T00:00:00Z" if deleting else None
    )  # fmt: skip
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[]), status=core_v1.PodStatus(phase=phase))


EMPTY = View()
RUNNING = View(active=(pod("p"),))
SINCE = {"start_time": "2026-01-01T00:00:00Z"}


def indexed(name: str, index: int, failures: int = 0, **given: Any) -> core_v1.Pod:
    made = pod(name, **given)
    marks = {indexes.ANNOTATION: str(index), backoff.FAILURES: str(failures)}
    return msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, annotations=marks))


def ended(found: core_v1.Pod, code: int, container: str = "c", at: str = "2026-01-01T00:09:55Z") -> core_v1.Pod:
    state = core_v1.ContainerState(terminated=core_v1.ContainerStateTerminated(exit_code=code, finished_at=at))
    told = core_v1.ContainerStatus(
        name=container, state=state, image="i", image_id="", ready=False, restart_count=0
    )  # fmt: skip
    return msgspec.structs.replace(found, status=msgspec.structs.replace(found.status, container_statuses=[told]))


def on_exit(
    action: str, *values: int, operator: str = "In", container: str | None = None
) -> batch_v1.PodFailurePolicyRule:
    codes = batch_v1.PodFailurePolicyOnExitCodesRequirement(
        operator=operator, values=list(values), container_name=container
    )
    return batch_v1.PodFailurePolicyRule(action=action, on_exit_codes=codes)


def failure_policy(*rules: batch_v1.PodFailurePolicyRule) -> batch_v1.PodFailurePolicy:
    return batch_v1.PodFailurePolicy(rules=list(rules))


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


async def make_job(world: Any, name: str = "j", **spec: Any) -> batch_v1.Job:
    template = core_v1.PodTemplateSpec(
        spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")], restart_policy="Never")
    )
    meta = meta_v1.ObjectMeta(name=name, namespace=world.namespace)
    made: batch_v1.Job = await world.client.create(
        batch_v1.Job(metadata=meta, spec=batch_v1.JobSpec(template=template, **spec))
    )
    return made


async def get(world: Any) -> batch_v1.Job:
    found: batch_v1.Job = await world.client.get(batch_v1.Job, "j", world.namespace)
    return found


def has(world: Any, type: str) -> Callable[[], Any]:
    async def check() -> bool:
        return any(found.type == type and found.status == "True" for found in (await get(world)).status.conditions)

    return check


async def finish(world: Any, phase: str) -> None:
    """All running pods end; returns when the caches know."""
    ended = world.running_pods()
    for found in ended:
        await world.set_pod(found, ready=False, phase=phase)
    names = {found.metadata.name for found in ended}
    await world.eventually(lambda: not names & {found.metadata.name for found in world.running_pods()})


async def fail(world: Any, found: core_v1.Pod, code: int) -> None:
    """The pod's container ends with this code."""
    told = msgspec.to_builtins(ended(found, code, at="2020-01-01T00:00:00Z").status.container_statuses)
    patch = {"status": {"phase": "Failed", "containerStatuses": told}}
    await world.client.patch(core_v1.Pod, found.metadata.name, world.namespace, patch, subresource="status")


async def test_a_job_completes(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller") as world:
        await make_job(world, completions=3, parallelism=2)
        await world.eventually(lambda: len(world.running_pods()) == 2)
        await finish(world, "Succeeded")
        await world.eventually(lambda: len(world.running_pods()) == 1)
        await finish(world, "Succeeded")
        await world.eventually(has(world, "Complete"))
        found = await get(world)
        assert (found.status.succeeded, found.status.active, found.status.failed) == (3, None, None)
        assert found.status.completion_time
        await world.wait_told("Completed", "Job completed")
        pods = (await world.client.list(core_v1.Pod, world.namespace)).items
        assert [pod.metadata.finalizers for pod in pods] == [[], [], []]


async def test_pods_outlive_no_job_by_its_finalizer(world_of: Callable[..., Any]) -> None:
    async def are_free() -> bool:
        pods = (await world.client.list(core_v1.Pod, world.namespace)).items
        return len(pods) >= 3 and not any(pod.metadata.finalizers for pod in pods)

    async with world_of("job-controller") as world:
        job = await make_job(world, completions=3, parallelism=3)
        await world.eventually(lambda: len(world.running_pods()) == 3)
        released, orphaned, _ = world.running_pods()
        await world.client.patch(core_v1.Pod, released.metadata.name, world.namespace, {"metadata": {"labels": None}})
        await world.client.delete(batch_v1.Job, "j", world.namespace, propagation_policy="Background")
        gone = {"ownerReferences": [{"$patch": "delete", "uid": job.metadata.uid}]}
        await world.client.patch(
            core_v1.Pod, orphaned.metadata.name, world.namespace, {"metadata": gone}, PatchType.STRATEGIC
        )
        await world.eventually(are_free)


async def test_an_adopted_pod_counts(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller") as world:
        job = await make_job(world, completions=1)
        await world.eventually(lambda: len(world.running_pods()) == 1)
        gone = {"ownerReferences": [{"$patch": "delete", "uid": job.metadata.uid}]}
        name = world.running_pods()[0].metadata.name
        await world.client.patch(core_v1.Pod, name, world.namespace, {"metadata": gone}, PatchType.STRATEGIC)

        async def is_adopted() -> bool:
            pod = await world.client.get(core_v1.Pod, name, world.namespace)
            return bool(pod.metadata.owner_references and pod.metadata.finalizers)

        await world.eventually(is_adopted)
        await finish(world, "Succeeded")
        await world.eventually(has(world, "Complete"))


async def test_a_job_that_fails_too_often_fails(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller") as world:
        await make_job(world, backoff_limit=0)
        await world.eventually(world.running_pods)
        await finish(world, "Failed")
        await world.eventually(has(world, "Failed"))
        found = await get(world)
        assert found.status.failed == 1
        assert [condition.reason for condition in found.status.conditions] == ["BackoffLimitExceeded"] * 2


async def test_an_indexed_job_runs_each_index_once(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller") as world:
        await make_job(world, completions=3, parallelism=3, completion_mode="Indexed")
        await world.eventually(lambda: len(world.running_pods()) == 3)
        assert sorted(pod.spec.hostname or "" for pod in world.running_pods()) == ["j-0", "j-1", "j-2"]
        await finish(world, "Succeeded")
        await world.eventually(has(world, "Complete"))
        assert (await get(world)).status.completed_indexes == "0-2"


async def test_a_suspended_job_has_no_pods_until_it_is_resumed(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller") as world:
        await make_job(world, suspend=True)
        await world.eventually(has(world, "Suspended"))
        assert not world.running_pods()
        await world.client.patch(batch_v1.Job, "j", world.namespace, {"spec": {"suspend": False}})
        await world.eventually(world.running_pods)


async def test_a_finished_job_with_a_time_to_live_goes(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller,ttl-after-finished-controller,garbage-collector-controller") as world:
        await make_job(world, ttl_seconds_after_finished=0)
        await world.eventually(world.running_pods)
        await finish(world, "Succeeded")

        async def is_gone() -> bool:
            jobs = (await world.client.list(batch_v1.Job, world.namespace)).items
            return not jobs and not world.pods.list()

        await world.eventually(is_gone)


async def test_a_failure_policy_ends_a_job_at_once(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller") as world:
        rules = failure_policy(on_exit("Ignore", 3), on_exit("FailJob", 42))
        await make_job(world, completions=2, parallelism=2, pod_failure_policy=rules)
        await world.eventually(lambda: len(world.running_pods()) == 2)
        ignored, fatal = world.running_pods()
        await fail(world, ignored, 3)
        await world.eventually(lambda: len(world.running_pods()) == 2)
        assert (await get(world)).status.failed is None
        await fail(world, fatal, 42)
        await world.eventually(has(world, "FailureTarget"))
        # The other pod is stopped; the Job has failed when it is gone.
        assert not await has(world, "Failed")()
        for found in world.pods.list():
            if found.metadata.deletion_timestamp is not None:
                await world.set_pod(found, ready=False, phase="Failed")
        await world.eventually(has(world, "Failed"))
        told = (await get(world)).status.conditions
        name = fatal.metadata.name
        words = (
            f"Container c for pod {world.namespace}/{name} failed with exit code 42 matching FailJob rule at index 1"
        )
        assert [(one.type, one.reason, one.message) for one in told] == [
            ("FailureTarget", "PodFailurePolicy", words), ("Failed", "PodFailurePolicy", words),
        ]  # fmt: skip
        await world.wait_told("PodFailurePolicy", words)


async def test_an_index_fails_by_itself(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller") as world:
        await make_job(
            world, completions=2, parallelism=2, completion_mode="Indexed", backoff_limit_per_index=1
        )  # fmt: skip
        await world.eventually(lambda: len(world.running_pods()) == 2)
        first, second = sorted(world.running_pods(), key=lambda found: indexes.index_of(found) or 0)
        await world.set_pod(second, ready=False, phase="Succeeded")
        await fail(world, first, 1)

        def successor() -> list[core_v1.Pod]:
            return [one for one in world.running_pods() if one.metadata.annotations.get(backoff.FAILURES) == "1"]

        await world.eventually(successor)
        await fail(world, successor()[0], 1)
        await world.eventually(has(world, "Failed"))
        status = (await get(world)).status
        assert (status.completed_indexes, status.failed_indexes, status.failed) == ("1", "0", 2)
        assert {one.reason for one in status.conditions} == {"FailedIndexes"}


async def test_a_success_policy_ends_a_job_early(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller,kubelet") as world:
        rules = batch_v1.SuccessPolicy(rules=[batch_v1.SuccessPolicyRule(succeeded_indexes="1")])
        await make_job(world, completions=3, parallelism=3, completion_mode="Indexed", success_policy=rules)
        await world.eventually(lambda: len(world.started_pods()) == 3)
        leader = next(found for found in world.started_pods() if indexes.index_of(found) == 1)
        await world.set_pod(leader, ready=False, phase="Succeeded")
        await world.eventually(has(world, "Complete"))
        status = (await get(world)).status
        assert status.completed_indexes == "1"
        assert [(one.type, one.reason, one.message) for one in status.conditions] == [
            ("SuccessCriteriaMet", "SuccessPolicy", "Matched rules at index 0"),
            ("Complete", "SuccessPolicy", "Matched rules at index 0"),
        ]


async def test_a_job_of_another_controller_is_left_alone(world_of: Callable[..., Any]) -> None:
    async with world_of("job-controller") as world:
        await make_job(world, "other", managed_by="example.com/job-controller")
        await make_job(world)
        await world.eventually(world.running_pods)
        other = await world.client.get(batch_v1.Job, "other", world.namespace)
        assert (len(world.running_pods()), other.status.start_time) == (1, None)
