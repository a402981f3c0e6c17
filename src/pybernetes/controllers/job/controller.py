"""The Job controller."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from pybernetes.api import errors
from pybernetes.api.selectors import labels
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found
from pybernetes.controllers.job import indexes, plan
from pybernetes.controllers.job.plan import FINALIZER, Ending, View
from pybernetes.controllers.ownership import CONTROLLER_INDEX, Claimer, add_owner_indexes, controller_of
from pybernetes.controllers.podcontrol import BURST, PodControl, in_parallel, pod_from_template, slow_start

replace = msgspec.structs.replace


class JobController(KeyedController):
    """Pods carry a finalizer until they are counted, so that each counts exactly once (KEP-2307)."""

    name = "job-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = context.informers.of(batch_v1.Job)
        self.pods = context.informers.of(core_v1.Pod)
        add_owner_indexes(self.pods)
        self.recorder = context.recorder(self.name)
        self.control = PodControl(context, self.recorder)
        self.claimer = Claimer(context.client, batch_v1.Job, core_v1.Pod, self.pods)
        self._last_failure: dict[str, datetime] = {}
        self.jobs.subscribe(self.enqueue_change)
        self.pods.subscribe(self._on_pod)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        for pod in (old, new):
            owner = controller_of(pod) if pod is not None else None
            if pod is not None and owner is not None and owner.kind == "Job":
                self.queue.add((pod.metadata.namespace or "", owner.name))

    async def reconcile(self, key: Key) -> float | None:
        job = self.jobs.get(key[1], key[0])
        if job is None or (job.spec.managed_by or "").rpartition("/")[2] not in ("", "job-controller"):
            return None
        if job.metadata.deletion_timestamp is not None or plan.is_finished(job):
            await self._free(self.pods.by_index(CONTROLLER_INDEX, job.metadata.uid or ""))
            self._last_failure.pop(job.metadata.uid or "", None)
            return None
        pods = self.control.present(await self.claimer.claim(job, labels.from_struct(job.spec.selector)))
        view = plan.view_of(job, pods)
        job = await self._count(self._with_start(job), view, pods)
        ending = None if job.spec.suspend else plan.ending_of(job, job.status, view, self.context.clock.now())
        if ending is not None:
            return await self._end(job, view, ending)
        return await self._go_on(job, view)

    def _with_start(self, job: batch_v1.Job) -> batch_v1.Job:
        """Note when the Job started, and whether it is suspended; written with the next status."""
        status = job.status
        if job.spec.suspend and not _is(status, "Suspended", "True"):
            self.recorder.event(job, "Normal", "Suspended", "Job suspended")
            status = self._with_condition(status, "Suspended", "True", "JobSuspended", "Job suspended")
            status = replace(status, start_time=None)
        elif not job.spec.suspend and _is(status, "Suspended", "True"):
            self.recorder.event(job, "Normal", "Resumed", "Job resumed")
            status = self._with_condition(status, "Suspended", "False", "JobResumed", "Job resumed")
            status = replace(status, start_time=self.context.now())
        elif not job.spec.suspend and not status.start_time:
            status = replace(status, start_time=self.context.now())
        return replace(job, status=status)

    async def _count(self, job: batch_v1.Job, view: View, pods: Sequence[core_v1.Pod]) -> batch_v1.Job:
        """Count pods that have ended: note them, take their finalizer away, add them up."""
        pending = plan.uncounted(view, job.status)
        if not pending.succeeded and not pending.failed:
            return job
        if view.failed and (moment := plan.failed_at(view.failed)) is not None:
            self._last_failure[job.metadata.uid or ""] = moment
        job = await self._write(job, replace(job.status, uncounted_terminated_pods=pending))
        ended = {*pending.succeeded, *pending.failed}
        await self._free([pod for pod in pods if pod.metadata.uid in ended])
        # Not written yet: the end, if this is it, comes with it.
        return replace(job, status=plan.counted(job, job.status, view))

    async def _free(self, pods: Sequence[core_v1.Pod]) -> None:
        """Take the finalizer away. Raises the first error: what is not freed must not be counted as such."""
        bound = [pod for pod in pods if FINALIZER in pod.metadata.finalizers]
        outcomes = await in_parallel([functools.partial(self._free_one, pod) for pod in bound])
        if (error := next((found for found in outcomes if found is not None), None)) is not None:
            raise error

    async def _free_one(self, pod: core_v1.Pod) -> None:
        meta = pod.metadata
        patch: dict[str, Any] = {"metadata": {"uid": meta.uid, "$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
        await ignore_not_found(
            self.client.patch(core_v1.Pod, meta.name or "", meta.namespace or "", patch, PatchType.STRATEGIC)
        )

    async def _end(self, job: batch_v1.Job, view: View, ending: Ending) -> float | None:
        """Announce the end, stop what still runs, and say that it has ended once nothing does."""
        await in_parallel([functools.partial(self.control.delete, job, pod) for pod in view.active])
        target = "SuccessCriteriaMet" if ending.type == "Complete" else "FailureTarget"
        status = self._with_condition(job.status, target, "True", ending.reason, ending.message)
        left = self.control.present(self.pods.by_index(CONTROLLER_INDEX, job.metadata.uid or ""))
        running = [pod for pod in left if not podstate.is_finished(pod)]
        status = replace(status, active=None, ready=0, terminating=len(running))
        if not running:
            status = self._with_condition(status, ending.type, "True", ending.reason, ending.message)
            if ending.type == "Complete":
                status = replace(status, completion_time=self.context.now())
        await self._write(job, status)
        if not running:
            if ending.type == "Complete":
                self.recorder.event(job, "Normal", "Completed", "Job completed")
            else:
                self.recorder.event(job, "Warning", ending.reason, ending.message)
        return None

    async def _go_on(self, job: batch_v1.Job, view: View) -> float | None:
        """Make or delete pods until as many run as should."""
        now = self.context.clock.now()
        wanted = plan.wanted_active(job, job.status, len(view.active))
        wait = plan.seconds_until_retry(job.status, self._last_failure.get(job.metadata.uid or ""), now)
        error: errors.StatusError | None = None
        if len(view.active) > wanted:
            victims = podstate.rank_for_deletion(view.active, (), now)[: len(view.active) - wanted]
            await in_parallel([functools.partial(self.control.delete, job, pod) for pod in victims])
        elif len(view.active) < wanted and wait <= 0:
            error = await self._create(job, view, wanted - len(view.active))
        await self._write_counts(job)
        if error is not None and not errors.is_namespace_terminating(error):
            raise error
        deadline = plan.seconds_until_deadline(job, job.status, now)
        waits = [found for found in (deadline, wait if wait > 0 else None) if found is not None]
        return min(waits, default=None)

    async def _create(self, job: batch_v1.Job, view: View, count: int) -> errors.StatusError | None:
        pod = pod_from_template(job, job.spec.template)
        pod = replace(pod, metadata=replace(pod.metadata, finalizers=[*pod.metadata.finalizers, FINALIZER]))
        count = min(count, BURST)
        if not plan.is_indexed(job):
            return await slow_start(count, functools.partial(self.control.create, job, pod))
        done = plan.completed_indexes(job, view)
        chosen = indexes.missing(job.spec.completions or 0, done, view.active, count)
        made = iter([_indexed(job, pod, index) for index in chosen])
        return await slow_start(len(chosen), lambda: self.control.create(job, next(made)))

    async def _write_counts(self, job: batch_v1.Job) -> None:
        left = self.control.present(self.pods.by_index(CONTROLLER_INDEX, job.metadata.uid or ""))
        active = [pod for pod in left if podstate.is_active(pod)]
        terminating = sum(not podstate.is_finished(pod) and pod.metadata.deletion_timestamp is not None for pod in left)
        ready = sum(podstate.is_ready(pod) for pod in active)
        await self._write(job, replace(job.status, active=len(active) or None, ready=ready, terminating=terminating))

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


def _is(status: batch_v1.JobStatus, type: str, value: str) -> bool:
    return any(found.type == type and found.status == value for found in status.conditions)


def _indexed(job: batch_v1.Job, pod: core_v1.Pod, index: int) -> core_v1.Pod:
    """The pod for one index: the index is in its name, hostname, label, annotation and environment."""
    variable = core_v1.EnvVar(
        name="JOB_COMPLETION_INDEX",
        value_from=core_v1.EnvVarSource(
            field_ref=core_v1.ObjectFieldSelector(field_path=f"metadata.labels['{indexes.ANNOTATION}']")
        ),
    )

    def with_variable(containers: list[core_v1.Container]) -> list[core_v1.Container]:
        return [replace(found, env=[*found.env, variable]) for found in containers]

    meta, marks = pod.metadata, {indexes.ANNOTATION: str(index)}
    return replace(
        pod,
        metadata=replace(
            meta,
            generate_name=f"{job.metadata.name}-{index}-",
            labels={**meta.labels, **marks},
            annotations={**meta.annotations, **marks},
        ),
        spec=replace(
            pod.spec,
            hostname=f"{job.metadata.name}-{index}",
            containers=with_variable(pod.spec.containers),
            init_containers=with_variable(pod.spec.init_containers),
        ),
    )
