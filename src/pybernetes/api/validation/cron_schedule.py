"""Whether a cron schedule can be read: five fields of lists of ranges with steps, or a word such as @daily."""

from __future__ import annotations

import re
from typing import Final

from pybernetes.api.field import quote

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_DAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_FIELDS: Final[tuple[tuple[int, int, dict[str, int]], ...]] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _DAYS),
)  # fmt: skip
_WORDS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_DURATION = re.compile(r"@every (?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+")


class _Wrong(Exception):
    """The schedule cannot be read, and why."""


def schedule_complaint(schedule: str) -> str:
    """Why a schedule cannot be read, in the words of upstream's parser; empty when it can."""
    if not schedule:
        return "empty spec string"
    if schedule.startswith(("TZ=", "CRON_TZ=")) and " " in schedule:
        # The parser takes a time zone in front; whether a schedule may have one is not its concern.
        schedule = schedule.partition(" ")[2].strip()
    if schedule.startswith("@"):
        known = schedule in _WORDS or _DURATION.fullmatch(schedule)
        return "" if known else f"unrecognized descriptor: {schedule}"
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]"
    try:
        for text, (low, high, words) in zip(fields, _FIELDS, strict=True):
            for part in filter(None, text.split(",")):
                _check_range(part, low, high, words)
    except _Wrong as wrong:
        return str(wrong)
    return ""


def _check_range(part: str, low: int, high: int, words: dict[str, int]) -> None:
    span, *steps = part.split("/")
    ends = span.split("-")
    if ends[0] in ("*", "?"):
        first, last = low, high
        if len(ends) > 1:
            raise _Wrong(f"too many hyphens: {part}")
    elif len(ends) > 2:
        raise _Wrong(f"too many hyphens: {part}")
    else:
        first = _number(ends[0], words)
        last = _number(ends[1], words) if len(ends) == 2 else first
    if len(steps) > 1:
        raise _Wrong(f"too many slashes: {part}")
    if steps:
        step = _number(steps[0], {})
        if len(ends) == 1 and ends[0] not in ("*", "?"):
            last = high
        if step == 0:
            raise _Wrong(f"step of range should be a positive number: {part}")
    if first < low:
        raise _Wrong(f"beginning of range ({first}) below minimum ({low}): {part}")
    if last > high:
        raise _Wrong(f"end of range ({last}) above maximum ({high}): {part}")
    if first > last:
        raise _Wrong(f"beginning of range ({first}) beyond end of range ({last}): {part}")


def _number(text: str, words: dict[str, int]) -> int:
    if text.lower() in words:
        return words[text.lower()]
    if not re.fullmatch("[-+]?[0-9]+", text):
        raise _Wrong(f"failed to parse int from {text}: strconv.Atoi: parsing {quote(text)}: invalid syntax")
    if int(text) < 0:
        raise _Wrong(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
