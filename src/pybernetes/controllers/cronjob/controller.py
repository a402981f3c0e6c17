"""The CronJob controller."""

from __future__ import annotations

import contextlib
from datetime import datetime

import msgspec

from pybernetes.api import errors
from pybernetes.api.time import format_time
from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found
from pybernetes.controllers.cronjob import plan
from pybernetes.controllers.ownership import CONTROLLER_INDEX, add_owner_indexes, controller_of, reference
from pybernetes.wire.cron import CronError

SCHEDULED_ANNOTATION = "batch.kubernetes.io/cronjob-scheduled-timestamp"

replace = msgspec.structs.replace


class CronJobController(KeyedController):
    """Each CronJob has a timer to the next moment that it is due."""

    name = "cronjob-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.crons = context.informers.of(batch_v1.CronJob)
        self.jobs = context.informers.of(batch_v1.Job)
        add_owner_indexes(self.jobs)
        self.recorder = context.recorder(self.name)
        self.crons.subscribe(self.enqueue_change)
        self.jobs.subscribe(self._on_job)

    def _on_job(self, old: batch_v1.Job | None, new: batch_v1.Job | None) -> None:
        job = new or old
        owner = controller_of(job) if job is not None else None
        if job is not None and owner is not None and owner.kind == "CronJob":
            self.queue.add((job.metadata.namespace or "", owner.name))

    async def reconcile(self, key: Key) -> float | None:
        cron = self.crons.get(key[1], key[0])
        if cron is None or cron.metadata.deletion_timestamp is not None:
            return None
        jobs = self.jobs.by_index(CONTROLLER_INDEX, cron.metadata.uid or "")
        await self._clean_up(cron, jobs)
        cron = replace(cron, status=self._observed(cron, jobs))
        return await self._start_if_due(cron)

    def _observed(self, cron: batch_v1.CronJob, jobs: list[batch_v1.Job]) -> batch_v1.CronJobStatus:
        """The status after looking at the Jobs: which run, and when one last succeeded.

        Active are those that were made by schedule, also if that could not be written down: one that somebody made of
        the template (`kubectl create job --from`) neither stands in the way of others nor is replaced.
        """
        before = {found.uid: found for found in cron.status.active}
        running = [
            job
            for job in jobs
            if plan.is_finished(job) is None
            and (job.metadata.uid in before or SCHEDULED_ANNOTATION in job.metadata.annotations)
        ]
        last = cron.status.last_successful_time or ""
        for job in jobs:
            ending = plan.is_finished(job)
            if ending is not None and job.metadata.uid in before:
                message = f"Saw completed job: {job.metadata.name}, condition: {ending}"
                self.recorder.event(cron, "Normal", "SawCompletedJob", message)
            if ending is None and job.metadata.uid not in before:
                message = f"Saw a job that the controller did not create or forgot: {job.metadata.name}"
                self.recorder.event(cron, "Warning", "UnexpectedJob", message)
            if ending == "Complete":
                last = max(last, job.status.completion_time or "")
        for uid in before.keys() - {job.metadata.uid for job in jobs}:
            self.recorder.event(cron, "Normal", "MissingJob", f"Active job went missing: {before[uid].name}")
        active = [_reference(job) for job in sorted(running, key=lambda job: job.metadata.name or "")]
        return replace(cron.status, active=active, last_successful_time=last or None)

    async def _start_if_due(self, cron: batch_v1.CronJob) -> float | None:
        """Make the Job of the latest moment that is due; seconds until the next."""
        try:
            schedule, zone = plan.schedule_of(cron)
        except CronError as error:
            self.recorder.event(cron, "Warning", *plan.schedule_words(cron, error))
            await self._write(cron)
            return None
        now = self.context.clock.now()
        found = plan.due(cron, schedule, zone, now)
        if found.moment is not None and not cron.spec.suspend:
            if found.missed > plan.MANY_MISSED:
                message = (
                    "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
                )
                self.recorder.event(cron, "Warning", "TooManyMissedTimes", message)
            cron = await self._start(cron, found.moment)
        await self._write(cron)
        if found.following is None or cron.spec.suspend:
            return None
        return max(0.01, (found.following - self.context.clock.now()).total_seconds())

    async def _start(self, cron: batch_v1.CronJob, moment: datetime) -> batch_v1.CronJob:
        if cron.status.active and cron.spec.concurrency_policy == "Forbid":
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.recorder.event(cron, "Normal", "JobAlreadyActive", message)
            return cron
        if cron.spec.concurrency_policy == "Replace":
            for found in cron.status.active:
                await self._delete(cron, found.name or "", found.uid or "")
            cron = replace(cron, status=replace(cron.status, active=[]))
        try:
            job = await self.client.create(_job(cron, moment))
        except errors.StatusError as error:
            if errors.is_already_exists(error):
                return replace(cron, status=replace(cron.status, last_schedule_time=format_time(moment)))
            if not errors.is_namespace_terminating(error):
                self.recorder.event(cron, "Warning", "FailedCreate", f"Error creating job: {error.message}")
            raise
        self.jobs.assume(job)
        self.context.metrics.cronjob_skew.observe(self.context.seconds_since(moment))
        self.recorder.event(cron, "Normal", "SuccessfulCreate", f"Created job {job.metadata.name}")
        active = [*cron.status.active, _reference(job)]
        return replace(cron, status=replace(cron.status, active=active, last_schedule_time=format_time(moment)))

    async def _clean_up(self, cron: batch_v1.CronJob, jobs: list[batch_v1.Job]) -> None:
        """A Job that cannot be deleted is told of, and keeps no other from being made."""
        for job in plan.surplus(cron, jobs):
            if job.metadata.deletion_timestamp is None:
                with contextlib.suppress(errors.StatusError):
                    await self._delete(cron, job.metadata.name or "", job.metadata.uid or "")

    async def _delete(self, cron: batch_v1.CronJob, name: str, uid: str) -> None:
        namespace = cron.metadata.namespace or ""
        call = self.client.delete(batch_v1.Job, name, namespace, uid=uid, propagation_policy="Background")
        try:
            if await ignore_not_found(call):
                self.recorder.event(cron, "Normal", "SuccessfulDelete", f"Deleted job {name}")
        except errors.StatusError as error:
            self.recorder.event(cron, "Warning", "FailedDelete", f"Deleted job: {error.message}")
            raise

    async def _write(self, cron: batch_v1.CronJob) -> None:
        stored = self.crons.get(cron.metadata.name or "", cron.metadata.namespace or "")
        if stored is not None and stored.status != cron.status:
            self.crons.assume(await self.client.update_status(cron))


def _reference(job: batch_v1.Job) -> core_v1.ObjectReference:
    """Without a version: a Job that goes on running is the same active Job."""
    meta = job.metadata
    return core_v1.ObjectReference(
        api_version=job.api_version, kind=job.kind, name=meta.name, namespace=meta.namespace, uid=meta.uid
    )


def _job(cron: batch_v1.CronJob, moment: datetime) -> batch_v1.Job:
    template = cron.spec.job_template
    return batch_v1.Job(
        metadata=meta_v1.ObjectMeta(
            name=plan.job_name(cron, moment),
            namespace=cron.metadata.namespace,
            labels=template.metadata.labels,
            annotations={**template.metadata.annotations, SCHEDULED_ANNOTATION: format_time(moment)},
            owner_references=[reference(cron)],
        ),
        spec=template.spec,
    )
