"""Cron schedules: five fields, or a name such as "@hourly", and the moments that they stand for. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol

from msgspec import Struct

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_DAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_BOUNDS: Final[tuple[tuple[int, int, dict[str, int]], ...]] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _DAYS),
)  # fmt: skip
_EVERY: Final = re.compile(r"@every ((?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+)")
_PART: Final = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
# Schedules such as 30 February never come.
_SEARCH = timedelta(days=5 * 366)
_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), _SEARCH)


class CronError(ValueError):
    """A schedule that cannot be understood."""


class Schedule(Protocol):
    """Moments (in UTC) by the clocks of a zone."""

    def next_after(self, moment: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The first moment later than `moment`; None if there is none."""

    def last_until(self, since: datetime, now: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The last moment in (since, now], reckoned from `since` on; None if there is none."""


class Every(Struct, frozen=True):
    """A moment each so many whole seconds."""

    delay: timedelta

    def next_after(self, moment: datetime, zone: tzinfo = UTC) -> datetime:
        return moment.replace(microsecond=0) + self.delay

    def last_until(self, since: datetime, now: datetime, zone: tzinfo = UTC) -> datetime | None:
        begin = since.replace(microsecond=0)
        passed = (now - begin) // self.delay
        return begin + passed * self.delay if passed > 0 else None


class Crontab(Struct, frozen=True):
    """The minutes, hours, ... at which it is due; a day is due by either field if both are restricted.

    It is looked at as clocks go: an hour that they skip brings nothing, one that they repeat brings all twice.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def next_after(self, moment: datetime, zone: tzinfo = UTC) -> datetime | None:
        found = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        end = found + _SEARCH
        while found <= end:
            local = found.astimezone(zone)
            if local.month not in self.months:
                year, month = divmod(local.year * 12 + local.month, 12)
                found = _begin(found, datetime(year, month + 1, 1), zone)
            elif not self._is_day(local):
                found = _begin(found, datetime(local.year, local.month, local.day) + timedelta(days=1), zone)
            elif local.hour not in self.hours:
                found += timedelta(minutes=60 - local.minute)
            elif local.minute not in self.minutes:
                found += timedelta(minutes=1)
            else:
                return found
        return None

    def last_until(self, since: datetime, now: datetime, zone: tzinfo = UTC) -> datetime | None:
        """Looked for in growing windows, so that each holds a few moments only."""
        for window in _WINDOWS:
            begin = max(since, now - window)
            found, moment = None, self.next_after(begin, zone)
            while moment is not None and moment <= now:
                found, moment = moment, self.next_after(moment, zone)
            if found is not None or begin == since:
                return found
        return None

    def _is_day(self, local: datetime) -> bool:
        by_day, by_weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return (by_day and by_weekday) if self.any_day or self.any_weekday else (by_day or by_weekday)


def _begin(moment: datetime, local: datetime, zone: tzinfo) -> datetime:
    """The moment at which a local day begins, later than `moment` in any case."""
    return max(local.replace(tzinfo=zone).astimezone(UTC), moment + timedelta(minutes=1))


def parse(text: str) -> Schedule:
    """Read a schedule; CronError says what is wrong with it, in the words of upstream's parser."""
    if not text:
        raise CronError("empty spec string")
    if text.startswith("@") and text not in _NAMED:
        return _every(text)
    fields = _NAMED.get(text, text).split()
    if len(fields) != len(_BOUNDS):
        raise CronError(f"expected exactly {len(_BOUNDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    minutes, hours, days, months, weekdays = map(_field, fields, _BOUNDS)
    return Crontab(minutes, hours, days, months, weekdays, _is_any(fields[2]), _is_any(fields[4]))


def _every(text: str) -> Every:
    found = _EVERY.fullmatch(text)
    if found is None:
        raise CronError(f"unrecognized descriptor: {text}")
    parts = _PART.findall(found.group(1))
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return Every(timedelta(seconds=max(1, int(seconds))))


def _is_any(field: str) -> bool:
    """Whether a field of days leaves the choice to the other one; what takes steps does not."""
    return any(
        part.partition("/")[0] in ("*", "?") and part.partition("/")[2] in ("", "1") for part in field.split(",")
    )


def _field(text: str, bounds: tuple[int, int, dict[str, int]]) -> frozenset[int]:
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        found.update(_range(part, *bounds))
    return frozenset(found)


def _range(part: str, low: int, high: int, names: dict[str, int]) -> range:
    """ "*", "3", "3-5", each with a step; a single number with a step runs to the end."""
    span, *steps = part.split("/")
    first, last = _span(part, span, low, high, names)
    if len(steps) > 1:
        raise CronError(f"too many slashes: {part}")
    step = _number(steps[0], {}) if steps else 1
    if steps and "-" not in span:
        last = high
    if first < low:
        raise CronError(f"beginning of range ({first}) below minimum ({low}): {part}")
    if last > high:
        raise CronError(f"end of range ({last}) above maximum ({high}): {part}")
    if first > last:
        raise CronError(f"beginning of range ({first}) beyond end of range ({last}): {part}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {part}")
    return range(first, last + 1, step)


def _span(part: str, span: str, low: int, high: int, names: dict[str, int]) -> tuple[int, int]:
    ends = span.split("-")
    if ends[0] in ("*", "?"):
        return low, high
    if len(ends) > 2:
        raise CronError(f"too many hyphens: {part}")
    first = _number(ends[0], names)
    return first, _number(ends[1], names) if len(ends) == 2 else first


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch("[-+]?[0-9]+", text):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise CronError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
