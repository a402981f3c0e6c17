"""Cron jobs."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import non_negative, one_of, shown_selector
from pybernetes.api.validation.job import validate_job_template_spec
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import METADATA
from pybernetes.wire import cron

_SPEC = Path("spec")
_POLICIES = ("Allow", "Forbid", "Replace")
_MAX_NAME = 52


def _create(cron_job: Tree) -> Errors:
    yield from _validate_spec(cron_job["spec"])
    name = cron_job["metadata"].get("name", "")
    if len(name) > _MAX_NAME:
        # A job's name is that of the cron job and eleven more characters.
        yield field.invalid(METADATA.child("name"), name, f"must be no more than {_MAX_NAME} characters")


def _validate_spec(spec: Tree) -> Errors:
    schedule = spec.get("schedule", "")
    path = _SPEC.child("schedule")
    if not schedule:
        yield field.required(path)
    else:
        yield from _validate_schedule(schedule, path)
    yield from non_negative(
        spec, _SPEC, "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"
    )
    zone = spec.get("timeZone")
    if zone is not None:
        yield from _validate_zone(zone)
    yield from one_of(spec.get("concurrencyPolicy"), _SPEC.child("concurrencyPolicy"), _POLICIES)
    yield from _validate_job_template(spec["jobTemplate"])


def _validate_schedule(schedule: str, path: Path) -> Errors:
    has_zone = schedule.startswith(("TZ=", "CRON_TZ=")) and " " in schedule
    try:
        # The parser takes a time zone in front; whether a schedule may have one is not its concern.
        cron.parse(schedule.partition(" ")[2].strip() if has_zone else schedule)
    except cron.CronError as error:
        yield field.invalid(path, schedule, str(error))
        return
    if "TZ" in schedule:
        yield field.invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")


def _validate_zone(zone: str) -> Errors:
    path = _SPEC.child("timeZone")
    if not zone:
        yield field.invalid(path, zone, "timeZone must be nil or non-empty string")
    elif zone.lower() == "local":
        yield field.invalid(
            path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
    elif not _looks_like_zone(zone):
        yield field.invalid(path, zone, f"unknown time zone {zone}")


def _looks_like_zone(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _validate_job_template(template: Tree) -> Errors:
    path = _SPEC.child("jobTemplate", "spec")
    spec = template["spec"]
    if spec.get("selector") is not None:
        shown = shown_selector(spec["selector"])
        yield field.invalid(path.child("selector"), shown, "`selector` will be auto-generated")
    if spec.get("manualSelector"):
        yield field.not_supported(path.child("manualSelector"), True, ("nil", "false"))
    yield from validate_job_template_spec(spec, path)


RULES: RulesTable = {
    ("batch", "cronjobs"): Rules(
        _create, subresources={"status": lambda new, old: iter(())}, part_looks={"status": (0, 0)}
    )
}
