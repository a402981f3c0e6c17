"""What a Job has come to, and how many pods it should have now: pure functions of the Job and its pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from pybernetes.api.time import parse_time
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.job import backoff, indexes, policies
from pybernetes.controllers.job.make import FINALIZER

MANAGER = "kubernetes.io/job-controller"
TARGETS = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}
"""The condition that announces an end, by the one that says it has come."""


class View(Struct, frozen=True):
    """A Job's pods, sorted: each is in exactly one list. `terminating` ones neither run nor have failed yet."""

    active: Sequence[core_v1.Pod] = ()
    succeeded: Sequence[core_v1.Pod] = ()
    failed: Sequence[core_v1.Pod] = ()
    terminating: Sequence[core_v1.Pod] = ()


class Tally(Struct, frozen=True):
    """What the Job has come to, with the pods that its status does not count yet."""

    succeeded: int = 0
    failed: int = 0
    done: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()


class Ending(Struct, frozen=True):
    """How a Job ended: the type of its last condition, with reason and message."""

    type: str
    reason: str
    message: str


def is_ours(job: batch_v1.Job) -> bool:
    """Whether no other controller has been named."""
    return job.spec.managed_by in (None, MANAGER)


def is_finished(job: batch_v1.Job) -> bool:
    return any(found.type in TARGETS and found.status == "True" for found in job.status.conditions)


def is_indexed(job: batch_v1.Job) -> bool:
    return job.spec.completion_mode == "Indexed"


def completion_mode(job: batch_v1.Job) -> str:
    return "Indexed" if is_indexed(job) else "NonIndexed"


def counts_per_index(job: batch_v1.Job) -> bool:
    return is_indexed(job) and job.spec.backoff_limit_per_index is not None


def view_of(job: batch_v1.Job, pods: Sequence[core_v1.Pod]) -> View:
    """A pod that is being deleted has failed, unless only failed pods are replaced: then it has to end first."""
    waits = job.spec.pod_replacement_policy == "Failed" or job.spec.pod_failure_policy is not None
    active: list[core_v1.Pod] = []
    succeeded: list[core_v1.Pod] = []
    failed: list[core_v1.Pod] = []
    terminating: list[core_v1.Pod] = []
    for pod in pods:
        if pod.status.phase == "Succeeded":
            succeeded.append(pod)
        elif pod.status.phase == "Failed":
            failed.append(pod)
        elif pod.metadata.deletion_timestamp is None:
            active.append(pod)
        else:
            (terminating if waits else failed).append(pod)
    return View(active, succeeded, failed, terminating)


def is_bound(pod: core_v1.Pod) -> bool:
    """Whether the pod still waits to be counted."""
    return FINALIZER in pod.metadata.finalizers


def fresh(job: batch_v1.Job, pods: Sequence[core_v1.Pod]) -> list[core_v1.Pod]:
    """Those that neither counts nor notes of the status tell of."""
    noted = job.status.uncounted_terminated_pods or batch_v1.UncountedTerminatedPods()
    known = {*noted.succeeded, *noted.failed}
    return [pod for pod in pods if is_bound(pod) and pod.metadata.uid not in known]


def is_ignored(job: batch_v1.Job, pod: core_v1.Pod) -> bool:
    return policies.judge(job, pod).action == "Ignore"


def tally_of(job: batch_v1.Job, view: View) -> Tally:
    """What has succeeded and failed: what the status counts, what it notes as uncounted, and what is still to be noted."""
    status = job.status
    noted = status.uncounted_terminated_pods or batch_v1.UncountedTerminatedPods()
    failures = sum(not is_ignored(job, pod) for pod in fresh(job, view.failed))
    failed = (status.failed or 0) + len(noted.failed) + failures
    if not is_indexed(job):
        succeeded = (status.succeeded or 0) + len(noted.succeeded) + len(fresh(job, view.succeeded))
        return Tally(succeeded, failed)
    done = _known_indexes(job, status.completed_indexes) | _indexes_of(job, view.succeeded)
    lost = frozenset[int]()
    if counts_per_index(job):
        given_up = [pod for pod in view.failed if is_bound(pod) and _fails_index(job, pod)]
        lost = (_known_indexes(job, status.failed_indexes) | _indexes_of(job, given_up)) - done
    return Tally(len(done), failed, done, lost)


def _known_indexes(job: batch_v1.Job, text: str | None) -> frozenset[int]:
    return frozenset(index for index in indexes.parse(text or "") if index < (job.spec.completions or 0))


def _indexes_of(job: batch_v1.Job, pods: Sequence[core_v1.Pod]) -> frozenset[int]:
    found = (indexes.index_of(pod) for pod in pods)
    return frozenset(index for index in found if index is not None and index < (job.spec.completions or 0))


def _fails_index(job: batch_v1.Job, pod: core_v1.Pod) -> bool:
    """Whether this failure is the last that its index may have."""
    match policies.judge(job, pod).action:
        case "FailIndex":
            return True
        case "Ignore":
            return False
        case _:
            return backoff.failures_of(pod) >= (job.spec.backoff_limit_per_index or 0)


def last_failures(job: batch_v1.Job, view: View, tally: Tally) -> Mapping[int, core_v1.Pod]:
    """Where failures count per index: the pod that failed last for each index that is to be tried again.

    They keep their finalizer until their successor, which carries the count on, has been made.
    """
    if not counts_per_index(job):
        return {}
    settled = tally.done | tally.lost | _indexes_of(job, view.active)
    waiting = [pod for pod in view.failed if is_bound(pod) and (indexes.index_of(pod) or 0) not in settled]
    ordered = sorted(waiting, key=lambda pod: (backoff.of_index(pod).failures, backoff.finished_at(pod)))
    return {index: pod for pod in ordered if (index := indexes.index_of(pod)) is not None}


def uncounted(job: batch_v1.Job, pods: Sequence[core_v1.Pod]) -> batch_v1.UncountedTerminatedPods:
    """What the status notes of `pods`, which have ended and are about to lose their finalizer, until it counts them."""
    noted = job.status.uncounted_terminated_pods or batch_v1.UncountedTerminatedPods()
    new = fresh(job, pods)
    return batch_v1.UncountedTerminatedPods(
        succeeded=noted.succeeded + [pod.metadata.uid or "" for pod in new if pod.status.phase == "Succeeded"],
        failed=noted.failed
        + [pod.metadata.uid or "" for pod in new if pod.status.phase != "Succeeded" and not is_ignored(job, pod)],
    )


def counted(job: batch_v1.Job, tally: Tally) -> batch_v1.JobStatus:
    """The status once all that it noted is counted: to be written when no such pod carries the finalizer."""
    status = job.status
    noted = status.uncounted_terminated_pods or batch_v1.UncountedTerminatedPods()
    succeeded = len(tally.done) if is_indexed(job) else (status.succeeded or 0) + len(noted.succeeded)
    return msgspec.structs.replace(
        status,
        succeeded=succeeded or None,
        failed=((status.failed or 0) + len(noted.failed)) or None,
        completed_indexes=indexes.render(tally.done) or None,
        failed_indexes=indexes.render(tally.lost) if counts_per_index(job) else None,
        uncounted_terminated_pods=batch_v1.UncountedTerminatedPods(),
    )


def ending_of(job: batch_v1.Job, view: View, tally: Tally, now: datetime) -> Ending | None:
    """How the Job ends; None while it goes on. An end that was announced stays the end."""
    return _announced(job) or _failure(job, view, tally, now) or _success(job, view, tally)


def _announced(job: batch_v1.Job) -> Ending | None:
    for type, target in TARGETS.items():
        for found in job.status.conditions:
            if found.type == target and found.status == "True":
                return Ending(type, found.reason or "", found.message or "")
    return None


def _failure(job: batch_v1.Job, view: View, tally: Tally, now: datetime) -> Ending | None:
    for pod in view.failed:
        if (match := policies.judge(job, pod)).action == "FailJob":
            return Ending("Failed", "PodFailurePolicy", match.message)
    limit = 6 if job.spec.backoff_limit is None else job.spec.backoff_limit
    if tally.failed > limit or _restarts_too_often(job, view, limit):
        return Ending("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = seconds_until_deadline(job, now)
    if left is not None and left <= 0:
        return Ending("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    if not counts_per_index(job) or not tally.lost:
        return None
    if job.spec.max_failed_indexes is not None and len(tally.lost) > job.spec.max_failed_indexes:
        words = "Job has exceeded the specified maximal number of failed indexes"
        return Ending("Failed", "MaxFailedIndexesExceeded", words)
    if len(tally.lost) + len(tally.done) >= (job.spec.completions or 0):
        return Ending("Failed", "FailedIndexes", "Job has failed indexes")
    return None


def _success(job: batch_v1.Job, view: View, tally: Tally) -> Ending | None:
    rule = policies.success_rule(job.spec.success_policy, set(tally.done))
    if rule is not None:
        return Ending("Complete", "SuccessPolicy", f"Matched rules at index {rule}")
    if job.spec.completions is None:
        done = tally.succeeded > 0 and not view.active
    else:
        done = tally.succeeded >= job.spec.completions and (job.spec.completions > 0 or not view.active)
    return Ending("Complete", "CompletionsReached", "Reached expected number of succeeded pods") if done else None


def _restarts_too_often(job: batch_v1.Job, view: View, limit: int) -> bool:
    """Where containers restart in place, their restarts are the failures."""
    if job.spec.template.spec.restart_policy != "OnFailure":
        return False
    statuses = (s for pod in view.active for s in (*pod.status.init_container_statuses, *pod.status.container_statuses))
    restarts = sum(status.restart_count for status in statuses)
    return restarts >= max(1, limit)


def seconds_until_deadline(job: batch_v1.Job, now: datetime) -> float | None:
    deadline, started = job.spec.active_deadline_seconds, job.status.start_time
    if deadline is None or not started or job.spec.suspend:
        return None
    return deadline - (now - parse_time(started)).total_seconds()


def wanted_active(job: batch_v1.Job, tally: Tally, active: int) -> int:
    """How many pods should run now."""
    parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
    if job.spec.suspend:
        return 0
    if job.spec.completions is None:
        # The first success means that the others are to finish, and no new one is begun.
        return active if tally.succeeded else parallelism
    return max(0, min(parallelism, job.spec.completions - tally.succeeded))


def victims(job: batch_v1.Job, view: View, wanted: int, now: datetime) -> list[core_v1.Pod]:
    """The pods that run without being wanted."""
    ranked = podstate.rank_for_deletion(view.active, (), now)
    gone = indexes.surplus(ranked, job.spec.completions or 0) if is_indexed(job) else []
    missing = max(0, len(ranked) - wanted - len(gone))
    return gone + [pod for pod in ranked if pod not in gone][:missing]


def next_indexes(
    job: batch_v1.Job, view: View, tally: Tally, count: int, last: Mapping[int, core_v1.Pod], now: datetime
) -> tuple[list[int], float]:
    """The indexes that get a pod now, and where all of them have to wait, for how long (seconds)."""
    taken = tally.done | tally.lost | _indexes_of(job, [*view.active, *view.terminating])
    free = indexes.missing(job.spec.completions or 0, set(taken), count)
    waits = {index: backoff.of_index(last.get(index)).seconds_left(now) for index in free}
    ready = [index for index in free if waits[index] <= 0]
    return ready, 0.0 if ready else min(waits.values(), default=0.0)
