"""Jobs and CronJobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from pybernetes.api.types import batch_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import creation, pods, terminating
from pybernetes.explain.causes import Cause, Finding, Ref
from pybernetes.explain.snapshot import Snapshot, condition, ref
from pybernetes.explain.terms import count, duration
from pybernetes.wire.cron import CronError
from pybernetes.wire.cron import parse as schedule


def explain(snapshot: Snapshot, job: batch_v1.Job) -> Finding:
    """A job: done, failed, suspended, or with pods in trouble."""
    if job.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, job)
    status, wanted = job.status, job.spec.completions or 1
    done = f"{status.succeeded or 0} of {count(wanted, 'completion')}"
    if _is_true(job, "Complete"):
        return Finding(ref(job), f"is complete: {done}")
    found = snapshot.owned(v1.Pod, job)
    if _is_true(job, "Failed"):
        return Finding(ref(job), f"has failed, {done}", (_failed(snapshot, job, found),))
    if job.spec.suspend:
        step = snapshot.command("patch", ref(job), """--type=merge -p '{"spec":{"suspend":false}}'""")
        return Finding(ref(job), "is suspended", (Cause("spec.suspend is true: nothing runs", steps=(step,)),))
    refusal = creation.refused(snapshot, job, [], not found)
    causes = ((Cause("pods of it cannot be made", because=(refusal,)),) if refusal else ()) + pods.causes(
        snapshot, found
    )
    return Finding(
        ref(job), f"{done}, {count(status.active or 0, 'pod')} active, {status.failed or 0} failed", causes, True
    )


def _is_true(job: batch_v1.Job, type: str) -> bool:
    found = condition(job.status.conditions, type)
    return found is not None and found.status == "True"


def _failed(snapshot: Snapshot, job: batch_v1.Job, found: list[v1.Pod]) -> Cause:
    """The job's own verdict, because of its pods'."""
    failed = condition(job.status.conditions, "Failed")
    reason = failed.reason if failed is not None else ""
    what = {
        "BackoffLimitExceeded": f"its pods failed more often than backoffLimit of {6 if job.spec.backoff_limit is None else job.spec.backoff_limit}",
        "DeadlineExceeded": f"it was active longer than activeDeadlineSeconds of {job.spec.active_deadline_seconds}",
    }.get(reason or "", f"it was given up: {reason}")
    because = pods.causes(snapshot, found) or _gone(snapshot, job, found)
    steps: tuple[str, ...] = (
        f"once that is mended, make it anew: kubectl replace --force -f FILE{snapshot.within(job.metadata.namespace or '')}",
    )
    if not because:
        steps = (snapshot.command("logs", ref(job)), *steps)
    return Cause(what, seen=(failed.message or "",) if failed is not None else (), steps=steps, because=because)


def _gone(snapshot: Snapshot, job: batch_v1.Job, found: list[v1.Pod]) -> tuple[Cause, ...]:
    """What was said of pods that a job has ended for good: with restartPolicy OnFailure none is left to be asked."""
    name, namespace = job.metadata.name or "", job.metadata.namespace or ""
    if found or job.spec.template.spec is None or job.spec.template.spec.restart_policy != "OnFailure":
        return ()
    mine = re.compile(rf"{re.escape(name)}-(?:\d+-)?[a-z0-9]{{5}}")
    said = [
        event.message or ""
        for event in snapshot.all(v1.Event, namespace)
        if event.type == "Warning" and event.involved_object.kind == "Pod" and mine.fullmatch(event.involved_object.name or "")
        and event.reason == "Failed"
    ]  # fmt: skip
    keep = "to keep its pods and what they log: restartPolicy: Never in its template, and make it anew"
    return (
        Cause(
            "its last pod is gone, as restartPolicy OnFailure has it, and its log too",
            seen=tuple(said[-1:]),
            steps=(keep,),
        ),
    )


def explain_cron(snapshot: Snapshot, cron: batch_v1.CronJob) -> Finding:
    """A CronJob, and the last job that it made."""
    if cron.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, cron)
    last = cron.status.last_schedule_time
    said = f"last {duration(snapshot.age(last))} ago" if last else "not yet"
    facts = f"runs at {cron.spec.schedule}, {said}"
    causes = [*_unable(snapshot, cron), *_never(snapshot, cron)]
    if cron.spec.suspend:
        step = snapshot.command("patch", ref(cron), """-p '{"spec":{"suspend":false}}'""")
        causes.append(Cause("spec.suspend is true: no new jobs are made", steps=(step,)))
    jobs = sorted(snapshot.owned(batch_v1.Job, cron), key=lambda job: job.metadata.creation_timestamp or "")
    if jobs and (finding := explain(snapshot, jobs[-1])).is_broken:
        causes.append(finding.as_cause())
    return Finding(ref(cron), facts, tuple(causes), working=not last)


def _never(snapshot: Snapshot, cron: batch_v1.CronJob) -> Iterator[Cause]:
    """A schedule that can be read and names no moment: the 31st of February."""
    with suppress(CronError):
        if schedule(cron.spec.schedule).next_after(datetime.fromtimestamp(snapshot.now, UTC)) is None:
            what = f"its schedule {cron.spec.schedule} names no day that there is"
            yield Cause(what, steps=(snapshot.command("edit", ref(cron)),))


def _unable(snapshot: Snapshot, cron: batch_v1.CronJob) -> list[Cause]:
    words = {
        "FailedCreate": "its job cannot be made",
        "UnparseableSchedule": f"its schedule {cron.spec.schedule} cannot be read",
        "TooManyMissedTimes": "it has missed more than a hundred times, of which only the last was made up for",
        "JobAlreadyActive": "its last job still runs, and concurrencyPolicy Forbid lets no other begin",
        "MissSchedule": "it missed its time by more than startingDeadlineSeconds",
    }
    newest = next(iter(snapshot.events(cron)), None)
    if newest is None or newest.reason not in words:
        return []
    said = newest.message or ""
    because = (creation.explain(snapshot, cron, said),) if newest.reason == "FailedCreate" else ()
    steps = [snapshot.command("edit", ref(cron))]
    if newest.reason == "JobAlreadyActive":
        steps[:0] = [snapshot.command("logs", Ref("job", each.name or "", each.namespace or "")) for each in cron.status.active[:1]]  # fmt: skip
    return [Cause(words[newest.reason], seen=(said,), steps=tuple(steps), because=because)]
