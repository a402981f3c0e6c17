"""The Job controller."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.selectors import labels
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found
from pybernetes.controllers.job import plan
from pybernetes.controllers.job.backoff import Backoff
from pybernetes.controllers.job.make import FINALIZER, pod_of, pod_of_index
from pybernetes.controllers.job.plan import Ending, Tally, View
from pybernetes.controllers.metrics import Action
from pybernetes.controllers.ownership import (
    CONTROLLER_INDEX,
    Claimer,
    add_owner_indexes,
    concerned,
    controller_of,
    controller_uid,
)
from pybernetes.controllers.podcontrol import BURST, PodControl, in_parallel, slow_start

replace = msgspec.structs.replace

BOUND_INDEX = "job"
NO_JOB = ""
"""Stands for the Job in the keys of pods that carry the finalizer and that no Job controls."""


class Findings(Struct, frozen=True):
    """What one reconcile goes by."""

    view: View
    tally: Tally
    backoff: Backoff
    last: Mapping[int, core_v1.Pod]
    """Per index, the failed pod that is to be followed by another."""
    ending: Ending | None


class Acted(NamedTuple):
    """What one reconcile did about pods, the seconds after which to look again, and what failed."""

    action: Action
    wait: float | None = None
    error: errors.StatusError | None = None


class JobController(KeyedController):
    """Pods carry a finalizer until they are counted, so that each counts exactly once (KEP-2307)."""

    name = "job-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = context.informers.of(batch_v1.Job)
        self.pods = context.informers.of(core_v1.Pod)
        add_owner_indexes(self.pods)
        self.pods.add_index(BOUND_INDEX, _bound_to)
        self.recorder = context.recorder(self.name)
        self.control = PodControl(context, self.recorder)
        self.claimer = Claimer(context.client, batch_v1.Job, core_v1.Pod, self.pods, FINALIZER)
        self._backoffs: dict[str, Backoff] = {}
        self.jobs.subscribe(self._on_job)
        self.pods.subscribe(self._on_pod)

    def _on_job(self, old: batch_v1.Job | None, new: batch_v1.Job | None) -> None:
        if new is None and old is not None:
            self._backoffs.pop(old.metadata.uid or "", None)
        self.enqueue_change(old, new)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        for key in concerned("Job", self.jobs.list, old, new):
            self.queue.add(key)
        if new is not None and plan.is_bound(new) and not _job_of(new):
            self.queue.add((new.metadata.namespace or "", NO_JOB))

    async def reconcile(self, key: Key) -> float | None:
        job = self.jobs.get(key[1], key[0])
        await self._free_orphans(key, job)
        if job is None or not plan.is_ours(job):
            return None
        if job.metadata.deletion_timestamp is not None or plan.is_finished(job):
            await self._free(self.pods.by_index(CONTROLLER_INDEX, job.metadata.uid or ""))
            self._backoffs.pop(job.metadata.uid or "", None)
            return None
        began, acted, failed = self.context.clock.monotonic(), Acted("reconciling"), True
        try:
            pods = self.control.present(await self.claimer.claim(job, labels.from_struct(job.spec.selector)))
            job = self._with_start(job)
            found = self._look(job, pods)
            acted = await self._act(job, found)
            await self._write_down(job, found)
            if acted.error is not None and not errors.is_namespace_terminating(acted.error):
                raise acted.error
            failed = False
        finally:
            seconds = self.context.clock.monotonic() - began
            self.context.metrics.job_synced(plan.completion_mode(job), acted.action, seconds, failed=failed)
        deadline = None if found.ending else plan.seconds_until_deadline(job, self.context.clock.now())
        return min((left for left in (acted.wait, deadline) if left is not None), default=None)

    def _look(self, job: batch_v1.Job, pods: Sequence[core_v1.Pod]) -> Findings:
        view = plan.view_of(job, pods)
        tally = plan.tally_of(job, view)
        known = self._backoffs.get(job.metadata.uid or "", Backoff())
        backoff = known.after(plan.fresh(job, view.succeeded), plan.fresh(job, view.failed))
        ending = plan.ending_of(job, view, tally, self.context.clock.now())
        return Findings(view, tally, backoff, {} if ending else plan.last_failures(job, view, tally), ending)

    def _with_start(self, job: batch_v1.Job) -> batch_v1.Job:
        """Note when the Job started, and whether it is suspended; written with the next status."""
        status = job.status
        if job.spec.suspend and not _is(status, "Suspended", "True"):
            self.recorder.event(job, "Normal", "Suspended", "Job suspended")
            status = self._with_condition(status, "Suspended", "True", "JobSuspended", "Job suspended")
        elif not job.spec.suspend and _is(status, "Suspended", "True"):
            self.recorder.event(job, "Normal", "Resumed", "Job resumed")
            status = self._with_condition(status, "Suspended", "False", "JobResumed", "Job resumed")
            status = replace(status, start_time=self.context.now())
        elif not job.spec.suspend and not status.start_time:
            status = replace(status, start_time=self.context.now())
        return replace(job, status=status)

    async def _act(self, job: batch_v1.Job, found: Findings) -> Acted:
        """Delete pods that are not wanted, else make those that are missing."""
        now, view = self.context.clock.now(), found.view
        wanted = 0 if found.ending else plan.wanted_active(job, found.tally, len(view.active))
        if gone := plan.victims(job, view, wanted, now)[:BURST]:
            outcomes = await in_parallel([functools.partial(self.control.delete, job, pod) for pod in gone])
            return Acted("pods_deleted", error=next((error for error in outcomes if error is not None), None))
        missing = min(wanted - len(view.active) - len(view.terminating), BURST)
        if missing <= 0:
            return Acted("tracking")
        wait = 0.0 if plan.counts_per_index(job) else found.backoff.seconds_left(now)
        if wait > 0:
            return Acted("pods_created", wait)
        if not plan.is_indexed(job):
            error = await slow_start(missing, functools.partial(self.control.create, job, pod_of(job)))
            return Acted("pods_created", error=error)
        chosen, wait = plan.next_indexes(job, view, found.tally, missing, found.last, now)
        made = iter([pod_of_index(job, index, found.last.get(index)) for index in chosen])
        error = await slow_start(len(chosen), lambda: self.control.create(job, next(made)))
        return Acted("pods_created", wait or None, error)

    async def _write_down(self, job: batch_v1.Job, found: Findings) -> None:
        """Note the pods that have ended, take their finalizer away, add them up, and tell the end if this is it."""
        left = self.control.present(self.pods.by_index(CONTROLLER_INDEX, job.metadata.uid or ""))
        status = _with_counts(job.status, left)
        if found.ending is not None:
            ending = found.ending
            status = self._with_condition(status, plan.TARGETS[ending.type], "True", ending.reason, ending.message)
        kept = {pod.metadata.uid for pod in found.last.values()}
        ended = [pod for pod in (*found.view.succeeded, *found.view.failed) if pod.metadata.uid not in kept]
        noted = plan.uncounted(job, ended)
        job = replace(job, status=status)
        if noted.succeeded or noted.failed:
            job = await self._write(job, replace(status, uncounted_terminated_pods=noted))
        self._backoffs[job.metadata.uid or ""] = found.backoff
        await self._free(ended)
        for pod in filter(plan.is_bound, ended):
            result = "succeeded" if pod.status.phase == "Succeeded" else "failed"
            self.context.metrics.job_pods_finished.inc(plan.completion_mode(job), result)
        status = plan.counted(job, found.tally)
        if found.ending is None or any(not podstate.is_finished(pod) for pod in left):
            await self._write(job, status)
        else:
            await self._finish(job, status, found.ending)

    async def _finish(self, job: batch_v1.Job, status: batch_v1.JobStatus, ending: Ending) -> None:
        """Nothing runs any more: say that the Job has ended."""
        status = self._with_condition(status, ending.type, "True", ending.reason, ending.message)
        if ending.type == "Complete":
            status = replace(status, completion_time=self.context.now())
        await self._write(job, status)
        result = "failed" if ending.type == "Failed" else "succeeded"
        self.context.metrics.jobs_finished.inc(plan.completion_mode(job), result, ending.reason)
        if ending.type == "Failed":
            self.recorder.event(job, "Warning", ending.reason, ending.message)
            return
        if job.spec.completions is not None and (status.succeeded or 0) > job.spec.completions:
            words = "Too many succeeded pods exceeded completions"
            self.recorder.event(job, "Warning", "TooManySucceededPods", words)
        self.recorder.event(job, "Normal", "Completed", "Job completed")

    async def _free_orphans(self, key: Key, job: batch_v1.Job | None) -> None:
        """Pods of a Job that is gone, or was until another of its name came, are counted by nobody any more."""
        uid = job.metadata.uid if job is not None else None
        bound = self.pods.by_index(BOUND_INDEX, f"{key[0]}/{key[1]}")
        for pod in bound:
            if controller_uid(pod) == [uid]:
                continue
            try:
                await self._free_one(pod, if_unchanged=True)
            except errors.StatusError as error:
                # It changed, perhaps since a Job has adopted it: it comes here again.
                if not errors.is_conflict(error):
                    raise

    async def _free(self, pods: Sequence[core_v1.Pod]) -> None:
        """Take the finalizer away. Raises the first error: what is not freed must not be counted as such."""
        outcomes = await in_parallel([functools.partial(self._free_one, pod) for pod in pods if plan.is_bound(pod)])
        if (error := next((found for found in outcomes if found is not None), None)) is not None:
            raise error

    async def _free_one(self, pod: core_v1.Pod, *, if_unchanged: bool = False) -> None:
        meta = pod.metadata
        patch: dict[str, Any] = {"metadata": {"uid": meta.uid, "$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
        if if_unchanged:
            patch["metadata"]["resourceVersion"] = meta.resource_version
        await ignore_not_found(
            self.client.patch(core_v1.Pod, meta.name or "", meta.namespace or "", patch, PatchType.STRATEGIC)
        )

    async def _write(self, job: batch_v1.Job, status: batch_v1.JobStatus) -> batch_v1.Job:
        stored = self.jobs.get(job.metadata.name or "", job.metadata.namespace or "")
        if stored is not None and stored.status == status:
            return replace(job, status=status)
        written = await self.client.update_status(replace(job, status=status))
        self.jobs.assume(written)
        return replace(job, metadata=written.metadata, status=status)

    def _with_condition(
        self, status: batch_v1.JobStatus, type: str, value: str, reason: str, message: str
    ) -> batch_v1.JobStatus:
        if _is(status, type, value):
            return status
        now = self.context.now()
        made = batch_v1.JobCondition(
            type=type, status=value, reason=reason, message=message, last_probe_time=now, last_transition_time=now
        )
        return replace(status, conditions=[*(found for found in status.conditions if found.type != type), made])


def _job_of(pod: core_v1.Pod) -> str:
    owner = controller_of(pod)
    return owner.name if owner is not None and owner.kind == "Job" else NO_JOB


def _bound_to(pod: core_v1.Pod) -> list[str]:
    return [f"{pod.metadata.namespace}/{_job_of(pod)}"] if plan.is_bound(pod) else []


def _is(status: batch_v1.JobStatus, type: str, value: str) -> bool:
    return any(found.type == type and found.status == value for found in status.conditions)


def _with_counts(status: batch_v1.JobStatus, pods: Sequence[core_v1.Pod]) -> batch_v1.JobStatus:
    """What runs, is ready, and is on its way out."""
    active = [pod for pod in pods if podstate.is_active(pod)]
    leaving = sum(pod.metadata.deletion_timestamp is not None and not podstate.is_finished(pod) for pod in pods)
    ready = sum(podstate.is_ready(pod) for pod in active)
    return replace(status, active=len(active) or None, ready=ready, terminating=leaving)
