"""What a Job has come to, and how many pods it should have now: pure functions of the Job and its pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from pybernetes.api.time import parse_time
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.job import indexes

FINALIZER = "batch.kubernetes.io/job-tracking"
FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS = 10.0, 360.0


@dataclass(frozen=True, slots=True)
class View:
    """A Job's pods, sorted: each is in exactly one list."""

    active: Sequence[core_v1.Pod]
    succeeded: Sequence[core_v1.Pod]
    failed: Sequence[core_v1.Pod]

    @property
    def ready(self) -> int:
        return sum(podstate.is_ready(pod) for pod in self.active)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a Job ended: the type of its last condition, with reason and message."""

    type: str
    reason: str
    message: str


def view_of(job: batch_v1.Job, pods: Sequence[core_v1.Pod]) -> View:
    """A pod that is being deleted has failed, unless only failed pods are replaced: then it is nothing yet."""
    waits = job.spec.pod_replacement_policy == "Failed"
    active, succeeded, failed = [], [], []
    for pod in pods:
        if pod.status.phase == "Succeeded":
            succeeded.append(pod)
        elif pod.status.phase == "Failed":
            failed.append(pod)
        elif pod.metadata.deletion_timestamp is None:
            active.append(pod)
        elif not waits:
            failed.append(pod)
    return View(active, succeeded, failed)


def is_finished(job: batch_v1.Job) -> bool:
    return any(found.type in ("Complete", "Failed") and found.status == "True" for found in job.status.conditions)


def is_indexed(job: batch_v1.Job) -> bool:
    return job.spec.completion_mode == "Indexed"


def uncounted(view: View, status: batch_v1.JobStatus) -> batch_v1.UncountedTerminatedPods:
    """Pods that have ended and are not in the counts yet: those noted, and those that still carry the finalizer."""
    noted = status.uncounted_terminated_pods or batch_v1.UncountedTerminatedPods()

    def merged(before: Sequence[str], pods: Sequence[core_v1.Pod]) -> list[str]:
        fresh = [pod.metadata.uid or "" for pod in pods if FINALIZER in pod.metadata.finalizers]
        return [*before, *(uid for uid in fresh if uid not in before)]

    return batch_v1.UncountedTerminatedPods(
        succeeded=merged(noted.succeeded, view.succeeded), failed=merged(noted.failed, view.failed)
    )


def counted(job: batch_v1.Job, status: batch_v1.JobStatus, view: View) -> batch_v1.JobStatus:
    """The status once all that was uncounted is counted: to be written when no such pod carries the finalizer."""
    pending = status.uncounted_terminated_pods or batch_v1.UncountedTerminatedPods()
    succeeded = (status.succeeded or 0) + len(pending.succeeded)
    completed = status.completed_indexes
    if is_indexed(job):
        done = completed_indexes(job, view)
        succeeded, completed = len(done), indexes.render(done) or None
    return msgspec.structs.replace(
        status,
        succeeded=succeeded or None,
        failed=((status.failed or 0) + len(pending.failed)) or None,
        completed_indexes=completed,
        uncounted_terminated_pods=batch_v1.UncountedTerminatedPods(),
    )


def completed_indexes(job: batch_v1.Job, view: View) -> set[int]:
    done = indexes.parse(job.status.completed_indexes or "")
    done |= {found for pod in view.succeeded if (found := indexes.index_of(pod)) is not None}
    return {index for index in done if index < (job.spec.completions or 0)}


def ending_of(job: batch_v1.Job, status: batch_v1.JobStatus, view: View, now: datetime) -> Ending | None:
    """How the Job ends with these counts; None while it goes on."""
    limit = 6 if job.spec.backoff_limit is None else job.spec.backoff_limit
    if _failures(job, status, view) > limit:
        return Ending("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = seconds_until_deadline(job, status, now)
    if left is not None and left <= 0:
        return Ending("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    succeeded = status.succeeded or 0
    if job.spec.completions is None:
        done = succeeded > 0 and not view.active
    else:
        done = succeeded >= job.spec.completions and (job.spec.completions > 0 or not view.active)
    return Ending("Complete", "CompletionsReached", "Reached expected number of succeeded pods") if done else None


def _failures(job: batch_v1.Job, status: batch_v1.JobStatus, view: View) -> int:
    """Failed pods, and where containers restart in place, their restarts."""
    failures = status.failed or 0
    if job.spec.template.spec.restart_policy == "OnFailure":
        failures += sum(podstate.restarts(pod) for pod in view.active)
    return failures


def seconds_until_deadline(job: batch_v1.Job, status: batch_v1.JobStatus, now: datetime) -> float | None:
    deadline = job.spec.active_deadline_seconds
    if deadline is None or not status.start_time or job.spec.suspend:
        return None
    return deadline - (now - parse_time(status.start_time)).total_seconds()


def seconds_until_retry(status: batch_v1.JobStatus, last_failure: datetime | None, now: datetime) -> float:
    """How long to wait before making a pod in place of a failed one: 10 s, doubled with each failure, at most 6 min."""
    failures = status.failed or 0
    if not failures or last_failure is None:
        return 0.0
    pause: float = min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))
    return max(0.0, pause - (now - last_failure).total_seconds())


def wanted_active(job: batch_v1.Job, status: batch_v1.JobStatus, active: int) -> int:
    """How many pods should run now."""
    parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
    if job.spec.suspend:
        return 0
    succeeded = status.succeeded or 0
    if job.spec.completions is None:
        # The first success means that the others are to finish, and no new one is begun.
        return min(active, parallelism) if succeeded else parallelism
    return max(0, min(parallelism, job.spec.completions - succeeded))


def failed_at(pods: Sequence[core_v1.Pod]) -> datetime | None:
    """When the last of the failed pods ended."""
    moments = [
        parse_time(state.terminated.finished_at)
        for pod in pods
        for found in pod.status.container_statuses
        if (state := found.state) is not None and state.terminated is not None and state.terminated.finished_at
    ]
    created = [parse_time(pod.metadata.creation_timestamp) for pod in pods if pod.metadata.creation_timestamp]
    return max(moments or created, default=None)
