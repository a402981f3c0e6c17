"""The TTL-after-finished controller: deletes Jobs some time after they have ended."""

from __future__ import annotations

from datetime import datetime

from pybernetes.api.time import parse_time
from pybernetes.api.types import batch_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController, ignore_not_found


class TTLAfterFinishedController(KeyedController):
    """Each finished Job with a `ttlSecondsAfterFinished` has a timer."""

    name = "ttl-after-finished-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = context.informers.of(batch_v1.Job)
        self.jobs.subscribe(self.enqueue_change)

    async def reconcile(self, key: Key) -> float | None:
        job = self.jobs.get(key[1], key[0])
        if job is None or job.metadata.deletion_timestamp is not None:
            return None
        wait = seconds_until_expiry(job, self.context.clock.now())
        if wait is None or wait > 0:
            return wait
        # The limit may have been raised since the cache saw the Job: the version has to be this one.
        meta = job.metadata
        call = self.client.delete(
            batch_v1.Job, key[1], key[0], uid=meta.uid or "", resource_version=meta.resource_version or "",
            propagation_policy="Foreground",
        )  # fmt: skip
        await ignore_not_found(call)
        return None


def finished_at(job: batch_v1.Job) -> datetime | None:
    """When the Job completed or failed; None if it has not."""
    for condition in job.status.conditions:
        if condition.type in ("Complete", "Failed") and condition.status == "True" and condition.last_transition_time:
            return parse_time(condition.last_transition_time)
    return None


def seconds_until_expiry(job: batch_v1.Job, now: datetime) -> float | None:
    ttl, ended = job.spec.ttl_seconds_after_finished, finished_at(job)
    if ttl is None or ended is None:
        return None
    return max(0.0, ttl - (now - ended).total_seconds())
