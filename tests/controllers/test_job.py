"""Jobs: indexes, counts and endings as tables, then on a real API server."""

from collections.abc import Callable
from typing import Any

import msgspec
from tests.controllers.jobs import ended, failure_policy, on_exit

from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.client.patch import PatchType
from pybernetes.controllers.job import backoff, indexes


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
