"""Values of expressions.

bool, int, float, str, bytes, None, list and dict stand for themselves (dict also for objects); what JSON does not have
is here. Equality and order are CEL's: numbers compare by value, whatever their types; nothing else does across types.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from msgspec import Struct

from pybernetes.api.cel.errors import EvaluationError

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 63) - 1
UINT_MAX: Final = (1 << 64) - 1
SECOND: Final = 1_000_000_000
_YEAR_1: Final = -62_135_596_800
_YEAR_10000: Final = 253_402_300_800


class Uint(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


class Duration(Struct, frozen=True, order=True):
    """Nanoseconds."""

    nanoseconds: int

    def __str__(self) -> str:
        sign = "-" if self.nanoseconds < 0 else ""
        whole, rest = divmod(abs(self.nanoseconds), SECOND)
        return f"{sign}{whole}{_fraction(rest)}s"


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """Nanoseconds since 1970, UTC; `offset` is that of the zone it was written in, in seconds, and is only shown."""

    nanoseconds: int
    offset: int = field(default=0, compare=False)

    def __str__(self) -> str:
        whole, rest = divmod(self.nanoseconds, SECOND)
        shown = (datetime.fromtimestamp(whole, UTC) + timedelta(seconds=self.offset)).strftime("%Y-%m-%dT%H:%M:%S")
        hours, minutes = divmod(abs(self.offset) // 60, 60)
        zone = f"{'-' if self.offset < 0 else '+'}{hours:02d}:{minutes:02d}" if self.offset else "Z"
        return f"{shown.rjust(19, '0')}{_fraction(rest)}{zone}"

    def at(self, zone: tzinfo = UTC) -> datetime:
        """To the second; a fraction is not part of it."""
        return datetime.fromtimestamp(self.nanoseconds // SECOND, zone)


class Optional(Struct, frozen=True):
    """`optional.of(value)`, or none."""

    value: object = None
    is_set: bool = False


NONE: Final = Optional()


class TypedObject(dict[str, object]):
    """What `Name{...}` comes to."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        super().__init__()
        self.type_name = type_name


class Set(list[object]):
    """A list whose order does not count (`x-kubernetes-list-type: set` and `map`)."""

    __slots__ = ()


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""


def checked_int(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def checked_uint(value: int) -> Uint:
    if 0 <= value <= UINT_MAX:
        return Uint(value)
    raise EvaluationError("unsigned integer overflow")


def checked_duration(nanoseconds: int) -> Duration:
    if INT_MIN <= nanoseconds <= INT_MAX:
        return Duration(nanoseconds)
    raise EvaluationError("integer overflow")


def checked_timestamp(nanoseconds: int, offset: int = 0) -> Timestamp:
    if _YEAR_1 <= nanoseconds // SECOND < _YEAR_10000:
        return Timestamp(nanoseconds, offset)
    raise EvaluationError("timestamp overflow")


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equals(one: object, other: object) -> bool:
    """`==` of CEL."""
    if isinstance(one, str):
        return one == other
    if isinstance(one, list) and isinstance(other, list):
        is_set = isinstance(one, Set) or isinstance(other, Set)
        return _equal_sets(one, other) if is_set else _equal_lists(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return _equal_maps(one, other)
    if isinstance(one, Optional) and isinstance(other, Optional):
        return _equal_optionals(one, other)
    if is_number(one) and is_number(other):
        return one == other
    return type(one) is type(other) and one == other


def _equal_lists(one: list[object], other: list[object]) -> bool:
    return len(one) == len(other) and all(map(equals, one, other))


def _equal_sets(one: list[object], other: list[object]) -> bool:
    return len(one) == len(other) and set(map(identity, one)) == set(map(identity, other))


def identity(value: object) -> Hashable:
    """The same of values that are equal, and of no others."""
    if isinstance(value, Set):
        return Set, len(value), frozenset(map(identity, value))
    if isinstance(value, list):
        return list, tuple(map(identity, value))
    if isinstance(value, dict):
        return dict, frozenset((key, identity(each)) for key, each in value.items())
    if isinstance(value, Optional):
        return Optional, value.is_set, identity(value.value)
    return (float if is_number(value) else type(value)), value


def _equal_maps(one: dict[object, object], other: dict[object, object]) -> bool:
    return len(one) == len(other) and all(key in other and equals(value, other[key]) for key, value in one.items())


def _equal_optionals(one: Optional, other: Optional) -> bool:
    return one.is_set == other.is_set and equals(one.value, other.value)


_UNITS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND,
}  # fmt: skip
_PART: Final = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> Duration | None:
    """As Go's time.ParseDuration: `1h30m`, `-1.5s`, `0`. None if it is not one."""
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(body):
        found = _PART.match(body, at)
        if found is None or not (found[1] or found[2]):
            return None
        unit = _UNITS[found[3]]
        fraction = found[2] or ""
        total += int(found[1] or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        at = found.end()
    if not body or total > INT_MAX:
        return None
    return Duration(-total if text[:1] == "-" else total)


_TIMESTAMP: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))")


def parse_timestamp(text: str) -> Timestamp | None:
    """RFC 3339. None if it is not one."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    offset = 0
    if found[8]:
        offset = (int(found[9]) * 60 + int(found[10])) * (-60 if found[8] == "-" else 60)
        moment -= timedelta(seconds=offset)
    fraction = int((found[7] or "0")[:9].ljust(9, "0"))
    return Timestamp(int((moment - _EPOCH).total_seconds()) * SECOND + fraction, offset)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def zone_of(name: str) -> tzinfo:
    """`Europe/Berlin`, `UTC`, `+02:00`. Raises EvaluationError."""
    if found := re.fullmatch(r"([+-]?)(\d{1,2}):(\d{2})", name):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset)
    if ":" in name:
        raise EvaluationError(f'strconv.Atoi: parsing "{name.partition(":")[0]}": invalid syntax')
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name) if name else UTC
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        raise EvaluationError(f"unknown time zone {name}") from error
