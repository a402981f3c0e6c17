"""Jobs: indexes, counts and endings as tables, then on a real API server."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.controllers.job import indexes, plan
from pybernetes.controllers.job.plan import View

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
        name=name, uid=name, finalizers=[plan.FINALIZER] if bound else [], deletion_timestamp="2026-01-01T00:00:00Z" if deleting else None
    )  # fmt: skip
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[]), status=core_v1.PodStatus(phase=phase))


EMPTY = View((), (), ())
RUNNING = View((pod("p"),), (), ())


@pytest.mark.parametrize(
    ("spec", "status", "view", "expected"),
    [
        ({"completions": 3}, {"succeeded": 2}, RUNNING, None),
        ({"completions": 3}, {"succeeded": 3}, EMPTY, "CompletionsReached"),
        ({}, {"succeeded": 1}, RUNNING, None),
        ({}, {"succeeded": 1}, EMPTY, "CompletionsReached"),
        ({"completions": 1, "backoff_limit": 0}, {"failed": 1}, EMPTY, "BackoffLimitExceeded"),
        ({"completions": 1}, {"failed": 6}, EMPTY, None),
        ({"completions": 1}, {"failed": 7}, EMPTY, "BackoffLimitExceeded"),
        ({"completions": 1, "active_deadline_seconds": 60}, {"start_time": "2026-01-01T00:00:00Z"}, RUNNING, "DeadlineExceeded"),
        ({"completions": 1, "active_deadline_seconds": 600}, {"start_time": "2026-01-01T00:05:00Z"}, RUNNING, None),
    ],
)  # fmt: skip
def test_counts_decide_how_a_job_ends(
    spec: dict[str, Any], status: dict[str, Any], view: View, expected: str | None
) -> None:
    counts = batch_v1.JobStatus(**status)
    ending = plan.ending_of(job(counts, **spec), counts, view, NOW)
    assert (ending.reason if ending else None) == expected


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
    assert plan.wanted_active(job(**spec), batch_v1.JobStatus(succeeded=succeeded), active) == expected


def test_each_pod_counts_once() -> None:
    pods = [pod("a", "Succeeded"), pod("b", "Succeeded", bound=False), pod("c", "Failed"), pod("d", deleting=True), pod("e")]  # fmt: skip
    view = plan.view_of(job(), pods)
    status = batch_v1.JobStatus(
        succeeded=1, uncounted_terminated_pods=batch_v1.UncountedTerminatedPods(succeeded=["b"])
    )
    pending = plan.uncounted(view, status)
    assert (pending.succeeded, pending.failed) == (["b", "a"], ["c", "d"])
    after = plan.counted(job(status), batch_v1.JobStatus(succeeded=1, uncounted_terminated_pods=pending), view)
    assert (after.succeeded, after.failed) == (3, 2)


@pytest.mark.parametrize(("failed", "expected"), [(0, 0), (1, 10), (2, 20), (4, 80), (9, 360)])
def test_failures_slow_a_job_down(failed: int, expected: float) -> None:
    assert plan.seconds_until_retry(batch_v1.JobStatus(failed=failed), NOW, NOW) == expected


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
    for found in world.running_pods():
        await world.set_pod(found, ready=False, phase=phase)


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
