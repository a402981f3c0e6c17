"""The two times of the API: `Time` in seconds and `MicroTime` in microseconds, both RFC 3339 in UTC."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from pybernetes.api.field import quote

RFC3339: Final = "2006-01-02T15:04:05Z07:00"
RFC3339_MICRO: Final = "2006-01-02T15:04:05.000000Z07:00"
"""Layouts as Go writes them: they stand in the messages for times that cannot be read."""


class TimeError(ValueError):
    """Text that is no time; the message is that of Go's parser, which clients of the API see."""


def format_time(moment: float | datetime) -> str:
    """`Time` of seconds since 1970 or of an aware datetime; fractions are dropped."""
    return _format_second(math.floor(moment.timestamp() if isinstance(moment, datetime) else moment))


@lru_cache(256)
def _format_second(second: int) -> str:
    """Most times that are written are those of now."""
    return f"{datetime.fromtimestamp(second, UTC).isoformat().removesuffix('+00:00')}Z"


def format_micro_time(moment: float | datetime) -> str:
    """`MicroTime` of seconds since 1970 or of an aware datetime."""
    return f"{_utc(moment).isoformat(timespec='microseconds').removesuffix('+00:00')}Z"


def parse_time(text: str) -> datetime:
    """The moment that a `Time` or `MicroTime` of an object names, in UTC; any offset and fraction is understood."""
    if _CANONICAL.fullmatch(text):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text)
    return _parse(text, RFC3339)


def seconds(text: str) -> float:
    """The same as seconds since 1970, for reckoning with a clock's."""
    return parse_time(text).timestamp()


def canonical_time(text: str) -> str:
    """A `Time` as the API stores it; TimeError when it cannot be read."""
    if _CANONICAL.fullmatch(text) and _is_real(text):
        return text
    return format_time(_parse(text, RFC3339))


def canonical_micro_time(text: str) -> str:
    """A `MicroTime` as the API stores it; TimeError when it cannot be read."""
    if _CANONICAL_MICRO.fullmatch(text) and _is_real(text):
        return text
    return format_micro_time(_parse(text, RFC3339_MICRO))


_CANONICAL_MICRO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
_CANONICAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)

# What a layout is made of: its element as messages name it, what it takes of the text, its range and the name of that.
_DATE = [
    ("2006", r"[0-9]{4}", None, ""), ("-", "-", None, ""),
    ("01", r"[0-9]{2}", range(1, 13), "month"), ("-", "-", None, ""),
    ("02", r"[0-9]{2}", range(1, 32), "day"), ("T", "T", None, ""),
    ("15", r"[0-9]{1,2}", range(24), "hour"), (":", ":", None, ""),
    ("04", r"[0-9]{2}", range(60), "minute"), (":", ":", None, ""),
]  # fmt: skip
_SECONDS = ("05", r"[0-9]{2}(?:[.,][0-9]+)?", range(60), "second")
_MICROSECONDS = [("05", r"[0-9]{2}", range(60), "second"), (".000000", r"[.,][0-9]{6}", None, "")]
_ZONE = ("Z07:00", r"Z|[+-][0-9]{2}:[0-9]{2}", None, "")
_ELEMENTS = {
    layout: [(name, re.compile(pattern, re.ASCII), valid, what) for name, pattern, valid, what in elements]
    for layout, elements in {RFC3339: [*_DATE, _SECONDS, _ZONE], RFC3339_MICRO: [*_DATE, *_MICROSECONDS, _ZONE]}.items()
}


def _utc(moment: float | datetime) -> datetime:
    return moment.astimezone(UTC) if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)


def _is_real(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _parse(text: str, layout: str) -> datetime:
    taken: dict[str, str] = {}
    rest = text
    for name, pattern, valid, what in _ELEMENTS[layout]:
        match = pattern.match(rest)
        if match is None:
            raise TimeError(
                f"parsing time {quote(text)} as {quote(layout)}: cannot parse {quote(rest)} as {quote(name)}"
            )
        taken[name] = match.group()
        if valid is not None and int(match.group()[:2]) not in valid:
            raise TimeError(f"parsing time {quote(text)}: {what} out of range")
        rest = rest[match.end() :]
    if rest:
        raise TimeError(f"parsing time {quote(text)}: extra text: {quote(rest)}")
    return _moment(text, taken)


def _moment(text: str, taken: dict[str, str]) -> datetime:
    second, _, fraction = (taken["05"] + taken.get(".000000", "")).replace(",", ".").partition(".")
    zone = taken["Z07:00"]
    offset = timedelta()
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    try:
        local = datetime(
            int(taken["2006"]), int(taken["01"]), int(taken["02"]), int(taken["15"]), int(taken["04"]), int(second),
            int(fraction[:6].ljust(6, "0")), UTC,
        )  # fmt: skip
        return local - offset
    except (ValueError, OverflowError):
        # The parts are in range: the month has fewer days, or the year is beyond what can be reckoned with.
        raise TimeError(f"parsing time {quote(text)}: day out of range") from None
