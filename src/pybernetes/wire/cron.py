"""Cron schedules: five fields, or a name such as "@hourly", and the moments that they stand for. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct

from pybernetes.wire.numbers import parse_number

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
# Schedules such as 30 February never come.
_SEARCH = timedelta(days=5 * 366)


class CronError(ValueError):
    """A schedule that cannot be understood."""


class Schedule(Struct, frozen=True):
    """The minutes, hours, ... at which it is due; a day is due by either field if both are restricted."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def next_after(self, moment: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The first moment (in UTC) later than `moment` that is due by the clocks of `zone`; None if there is none.

        An hour that clocks skip brings nothing; of one that they repeat only the first counts.
        """
        local = moment.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0, fold=0)
        end = local + _SEARCH
        while local <= end:
            local = self._advance(local + timedelta(minutes=1), end)
            due = local.replace(tzinfo=zone).astimezone(UTC)
            exists = due.astimezone(zone).replace(tzinfo=None, fold=0) == local
            if local <= end and exists and due > moment:
                return due
        return None

    def _advance(self, local: datetime, end: datetime) -> datetime:
        """The first minute from `local` on that every field allows; later than `end` if there is none."""
        while local <= end:
            if local.month not in self.months:
                year, month = divmod(local.year * 12 + local.month, 12)
                local = datetime(year, month + 1, 1)
            elif not self._is_day(local):
                local = datetime(local.year, local.month, local.day) + timedelta(days=1)
            elif local.hour not in self.hours:
                local = local.replace(minute=0) + timedelta(hours=1)
            elif local.minute not in self.minutes:
                local += timedelta(minutes=1)
            else:
                return local
        return local

    def _is_day(self, local: datetime) -> bool:
        by_day, by_weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return (by_day and by_weekday) if self.any_day or self.any_weekday else (by_day or by_weekday)


def parse(text: str) -> Schedule:
    """Read a schedule; CronError says what is wrong with it."""
    fields = _NAMED.get(text.strip(), text).split()
    if len(fields) != 5:
        raise CronError(f"expected exactly 5 fields, found {len(fields)}: {fields}")
    minutes, hours, days, months, weekdays = fields
    return Schedule(
        minutes=_field(minutes, 0, 59),
        hours=_field(hours, 0, 23),
        days=_field(days, 1, 31),
        months=_field(months, 1, 12, _MONTHS),
        weekdays=frozenset(number % 7 for number in _field(weekdays, 0, 7, _DAYS)),
        any_day=days.startswith(("*", "?")),
        any_weekday=weekdays.startswith(("*", "?")),
    )


def _field(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        first, last = _span(span, low, high, names or {}, open_ended=bool(slash))
        step = _number(step_text, {}) if slash else 1
        if step < 1:
            raise CronError(f"step of range should be a positive number: {part}")
        if first < low or last > high:
            raise CronError(f"value out of range ({low} - {high}): {part}")
        if first > last:
            raise CronError(f"beginning of range ({first}) beyond end of range ({last}): {part}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _span(text: str, low: int, high: int, names: dict[str, int], *, open_ended: bool) -> tuple[int, int]:
    """ "*", "3", "3-5"; a single number with a step runs to the end."""
    if text in ("*", "?"):
        # Sunday is both 0 and 7: the whole week ends with Saturday.
        return low, 6 if names is _DAYS else high
    begin, dash, end = text.partition("-")
    first = _number(begin, names)
    if dash:
        return first, _number(end, names)
    return first, high if open_ended else first


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if (number := parse_number(text)) is None:
        raise CronError(f"failed to parse int from {text}")
    return number
