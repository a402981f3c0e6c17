"""CronJobs: what is due, what is kept, and what happens when a Job still runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.cronjob import plan
from pybernetes.controllers.cronjob.controller import SCHEDULED_ANNOTATION, CronJobController
from pybernetes.controllers.options import Options
from pybernetes.controllers.ownership import reference
from pybernetes.wire.cron import CronError

NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


def cron_job(schedule: str = "*/10 * * * *", last: str | None = None, **spec: Any) -> batch_v1.CronJob:
    template = core_v1.PodTemplateSpec(
        spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")], restart_policy="Never")
    )
    made = batch_v1.CronJobSpec(
        schedule=schedule, job_template=batch_v1.JobTemplateSpec(spec=batch_v1.JobSpec(template=template)), **spec
    )
    meta = meta_v1.ObjectMeta(name="c", creation_timestamp="2026-01-01T11:00:00Z")
    return batch_v1.CronJob(metadata=meta, spec=made, status=batch_v1.CronJobStatus(last_schedule_time=last))


@pytest.mark.parametrize(
    ("cron", "moment", "following", "missed"),
    [
        (cron_job(), "12:00", "12:10", 6),
        (cron_job(last="2026-01-01T12:00:00Z"), None, "12:10", 0),
        (cron_job(last="2026-01-01T11:40:00Z"), "12:00", "12:10", 2),
        (cron_job(last="2026-01-01T11:40:00Z", starting_deadline_seconds=20), None, "12:10", 0),
        (cron_job("* * * * *", last="2020-01-01T00:00:00Z"), "12:00", "12:01", 101),
        (cron_job("@every 25m"), "11:50", "12:15", 2),
        (cron_job("@every 25m", last="2026-01-01T11:50:00Z"), None, "12:15", 0),
        (cron_job("@every 25m", starting_deadline_seconds=60), None, "12:15", 0),
        (cron_job("0 7 * * *", last="2020-01-01T00:00:00Z", time_zone="Asia/Seoul"), "22:00", "22:00", 101),
    ],
)
def test_the_latest_moment_is_due(cron: batch_v1.CronJob, moment: str | None, following: str, missed: int) -> None:
    found = plan.due(cron, *plan.schedule_of(cron), NOW)
    assert (found.moment.strftime("%H:%M") if found.moment else None) == moment
    assert found.following is not None
    assert (found.following.strftime("%H:%M"), found.missed) == (following, missed)


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        ({"schedule": "* * *"}, "UnparseableSchedule", 'unparseable schedule: "* * *" : '),
        ({"time_zone": "Moon/Base"}, "UnknownTimeZone", 'invalid timeZone: "Moon/Base": unknown time zone Moon/Base'),
    ],
)
def test_what_cannot_be_scheduled_is_told(spec: dict[str, Any], reason: str, message: str) -> None:
    cron = cron_job(**spec)
    with pytest.raises(CronError) as raised:
        plan.schedule_of(cron)
    found = plan.schedule_words(cron, raised.value)
    assert (found[0], found[1][: len(message)]) == (reason, message)


def job(name: str, ending: str | None) -> batch_v1.Job:
    conditions = [batch_v1.JobCondition(type=ending, status="True")] if ending else []
    status = batch_v1.JobStatus(conditions=conditions, start_time=name)
    template = core_v1.PodTemplateSpec(spec=core_v1.PodSpec(containers=[]))
    return batch_v1.Job(metadata=meta_v1.ObjectMeta(name=name), spec=batch_v1.JobSpec(template=template), status=status)


def test_old_finished_jobs_go() -> None:
    jobs = [job("1", "Complete"), job("2", "Failed"), job("3", "Failed"), job("4", None), job("5", "Complete")]
    found = plan.surplus(cron_job(successful_jobs_history_limit=1), jobs)
    assert [one.metadata.name for one in found] == ["1", "2"]


@pytest.mark.parametrize(("policy", "expected"), [("Allow", 2), ("Forbid", 1), ("Replace", 1)])
async def test_a_job_that_still_runs(world_of: Callable[..., Any], policy: str, expected: int) -> None:
    """Time is the test's: the controller runs by a clock of its own."""
    async with world_of("-") as world:
        clock = FakeClock(datetime(2036, 1, 1, 12, 0, 50, tzinfo=UTC))
        controller = CronJobController(Context(world.client, world.informers, Options(), clock))
        spec = cron_job("* * * * *", concurrency_policy=policy, starting_deadline_seconds=60).spec
        meta = meta_v1.ObjectMeta(name="c", namespace=world.namespace)
        await world.client.create(batch_v1.CronJob(metadata=meta, spec=spec))
        await world.eventually(lambda: controller.crons.get("c", world.namespace))
        for _ in range(2):
            wait = await controller.reconcile((world.namespace, "c"))
            assert wait is not None
            assert 0 < wait <= 60
            await clock.advance(60)

        async def names() -> set[str]:
            return {found.metadata.name or "" for found in (await world.client.list(batch_v1.Job, world.namespace)).items if not found.metadata.deletion_timestamp}  # fmt: skip

        assert len(await names()) == expected
        found = await world.client.get(batch_v1.CronJob, "c", world.namespace)
        assert {reference.name for reference in found.status.active} == await names()
        await world.client.delete(batch_v1.CronJob, "c", world.namespace)


async def test_jobs_that_come_and_go_by_themselves_are_told(world_of: Callable[..., Any]) -> None:
    async with world_of("cronjob-controller") as world:
        cron = cron_job("0 0 1 1 *")
        meta = meta_v1.ObjectMeta(name="c", namespace=world.namespace)
        made = await world.client.create(batch_v1.CronJob(metadata=meta, spec=cron.spec))
        await world.client.create(owned_job(made, "forgotten", {SCHEDULED_ANNOTATION: "2026-01-01T00:00:00Z"}))
        await world.wait_told("UnexpectedJob", "Saw a job that the controller did not create or forgot: forgotten")
        await world.client.delete(batch_v1.Job, "forgotten", world.namespace, propagation_policy="Background")
        await world.wait_told("MissingJob", "Active job went missing: forgotten")


def owned_job(cron: batch_v1.CronJob, name: str, annotations: dict[str, str]) -> batch_v1.Job:
    meta = meta_v1.ObjectMeta(
        name=name, namespace=cron.metadata.namespace, owner_references=[reference(cron)], annotations=annotations
    )
    return batch_v1.Job(metadata=meta, spec=cron.spec.job_template.spec)


@pytest.mark.parametrize("policy", ["Forbid", "Replace"])
async def test_a_job_that_somebody_made_of_the_template_is_left_alone(
    world_of: Callable[..., Any], policy: str
) -> None:
    """As `kubectl create job --from=cronjob/c` does."""
    async with world_of("-") as world:
        clock = FakeClock(datetime(2036, 1, 1, 12, 1, 5, tzinfo=UTC))
        controller = CronJobController(Context(world.client, world.informers, Options(), clock))
        spec = cron_job("* * * * *", concurrency_policy=policy, starting_deadline_seconds=60).spec
        meta = meta_v1.ObjectMeta(name="c", namespace=world.namespace)
        cron = await world.client.create(batch_v1.CronJob(metadata=meta, spec=spec))
        await world.client.create(owned_job(cron, "by-hand", {"cronjob.kubernetes.io/instantiate": "manual"}))
        await world.eventually(lambda: controller.crons.get("c", world.namespace))
        await world.eventually(lambda: controller.jobs.get("by-hand", world.namespace))
        await controller.reconcile((world.namespace, "c"))
        names = {one.metadata.name for one in (await world.client.list(batch_v1.Job, world.namespace)).items}
        assert len(names) == 2
        assert "by-hand" in names
        found = await world.client.get(batch_v1.CronJob, "c", world.namespace)
        assert {one.name for one in found.status.active} == names - {"by-hand"}
        await world.client.delete(batch_v1.CronJob, "c", world.namespace)


async def test_a_job_that_cannot_be_deleted_stops_no_schedule(world_of: Callable[..., Any]) -> None:
    async with world_of("-") as world:
        clock = FakeClock(datetime(2036, 1, 1, 12, 1, 5, tzinfo=UTC))
        controller = CronJobController(Context(world.client, world.informers, Options(), clock))
        spec = cron_job("* * * * *", successful_jobs_history_limit=0, starting_deadline_seconds=60).spec
        meta = meta_v1.ObjectMeta(name="c", namespace=world.namespace)
        cron = await world.client.create(batch_v1.CronJob(metadata=meta, spec=spec))
        done = await world.client.create(owned_job(cron, "stubborn", {}))
        then = "2036-01-01T12:00:00Z"
        conditions = [
            batch_v1.JobCondition(type=type, status="True", last_transition_time=then)
            for type in ("SuccessCriteriaMet", "Complete")
        ]
        status = batch_v1.JobStatus(conditions=conditions, start_time=then, completion_time=then)
        await world.client.update_status(msgspec.structs.replace(done, status=status))

        def is_done() -> bool:
            found = controller.jobs.get("stubborn", world.namespace)
            return found is not None and bool(found.status.conditions)

        await world.eventually(lambda: controller.crons.get("c", world.namespace))
        await world.eventually(is_done)
        world.refuse("delete", "stubborn")
        await controller.reconcile((world.namespace, "c"))
        assert len((await world.client.list(batch_v1.Job, world.namespace)).items) == 2
        await world.wait_told("FailedDelete", "Deleted job: ")
        await world.client.delete(batch_v1.CronJob, "c", world.namespace)
