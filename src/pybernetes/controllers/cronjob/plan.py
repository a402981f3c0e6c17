"""When a CronJob is due, and which of its Jobs have been kept long enough. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from pybernetes.api.field import quote
from pybernetes.api.time import parse_time
from pybernetes.api.types import batch_v1
from pybernetes.wire.cron import CronError, Schedule, parse

MANY_MISSED = 100


class Due(Struct, frozen=True):
    """The latest moment that is due (None: none is), the next one to come, and how many have passed unseen."""

    moment: datetime | None
    following: datetime | None
    missed: int = 0


class UnknownZoneError(CronError):
    """A time zone that this machine does not know."""


def schedule_of(cron: batch_v1.CronJob) -> tuple[Schedule, tzinfo]:
    """Raises CronError for a schedule or time zone that does not exist."""
    try:
        zone = ZoneInfo(cron.spec.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UnknownZoneError(f"unknown time zone {cron.spec.time_zone}") from error
    return parse(cron.spec.schedule), zone


def schedule_words(cron: batch_v1.CronJob, error: CronError) -> tuple[str, str]:
    """Reason and message for what `schedule_of` raised."""
    if isinstance(error, UnknownZoneError):
        return "UnknownTimeZone", f"invalid timeZone: {quote(cron.spec.time_zone or '')}: {error}"
    return "UnparseableSchedule", f"unparseable schedule: {quote(cron.spec.schedule)} : {error}"


def due(cron: batch_v1.CronJob, schedule: Schedule, zone: tzinfo, now: datetime) -> Due:
    """What has come due since the last Job was made, or since the CronJob was, within its starting deadline."""
    since = parse_time(cron.status.last_schedule_time or cron.metadata.creation_timestamp or "1970-01-01T00:00:00Z")
    latest = schedule.last_until(since, now, zone)
    following = schedule.next_after(latest or since, zone)
    deadline = cron.spec.starting_deadline_seconds
    earliest = since if deadline is None else max(since, now - timedelta(seconds=deadline))
    if latest is None or latest < earliest:
        return Due(None, following)
    missed, moment = 0, schedule.next_after(earliest, zone)
    while moment is not None and moment <= now and missed <= MANY_MISSED:
        missed, moment = missed + 1, schedule.next_after(moment, zone)
    return Due(latest, following, missed)


def is_finished(job: batch_v1.Job) -> str | None:
    """ "Complete" or "Failed"; None while it runs."""
    return next((one.type for one in job.status.conditions if one.type in ("Complete", "Failed") and one.status == "True"), None)  # fmt: skip


def surplus(cron: batch_v1.CronJob, jobs: Sequence[batch_v1.Job]) -> list[batch_v1.Job]:
    """The oldest finished Jobs beyond the limits (3 that succeeded and 1 that failed, unless told otherwise)."""
    limits = {
        "Complete": 3 if cron.spec.successful_jobs_history_limit is None else cron.spec.successful_jobs_history_limit,
        "Failed": 1 if cron.spec.failed_jobs_history_limit is None else cron.spec.failed_jobs_history_limit,
    }
    gone: list[batch_v1.Job] = []
    for ending, limit in limits.items():
        found = [job for job in jobs if is_finished(job) == ending]
        found.sort(key=lambda job: (job.status.start_time or "", job.metadata.name or ""))
        gone += found[: max(0, len(found) - limit)]
    return gone


def job_name(cron: batch_v1.CronJob, moment: datetime) -> str:
    """The same for the same moment, so that it cannot be made twice."""
    return f"{cron.metadata.name}-{int(moment.timestamp()) // 60}"
