"""Times as the API stores them, and Go's words for those it cannot read."""

from datetime import UTC, datetime

import pytest

from pybernetes.api import time
from pybernetes.api.time import TimeError


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00.999Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
        ("2026-01-01T00:30:00-01:30", "2026-01-01T02:00:00Z"),
    ],
)
def test_time_is_utc_in_seconds(written: str, kept: str) -> None:
    assert time.canonical_time(written) == kept


def test_micro_time_is_utc_in_microseconds() -> None:
    assert time.canonical_micro_time("2026-01-31T12:00:00.000001+01:00") == "2026-01-31T11:00:00.000001Z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"'),
        ("", 'parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"'),
        ("2026-01-31", 'parsing time "2026-01-31" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"'),
        ("2026-13-31T12:00:00Z", 'parsing time "2026-13-31T12:00:00Z": month out of range'),
        ("2026-02-30T12:00:00Z", 'parsing time "2026-02-30T12:00:00Z": day out of range'),
        ("2026-01-31T12:00:00Zx", 'parsing time "2026-01-31T12:00:00Zx": extra text: "x"'),
        (
            "2026-01-31T12:00:00",
            'parsing time "2026-01-31T12:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"',
        ),
    ],
)
def test_what_is_no_time(text: str, message: str) -> None:
    with pytest.raises(TimeError) as caught:
        time.canonical_time(text)
    assert str(caught.value) == message


def test_micro_time_wants_six_digits() -> None:
    with pytest.raises(TimeError, match=r'cannot parse "Z" as "\.000000"'):
        time.canonical_micro_time("2026-01-31T12:00:00Z")


def test_formats_are_read_back() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 250, UTC)
    assert time.format_time(moment) == "2026-01-31T12:00:00Z"
    assert time.format_micro_time(moment.timestamp()) == "2026-01-31T12:00:00.000250Z"
    assert time.parse_time(time.format_micro_time(moment)) == moment
    assert time.seconds("1970-01-01T00:01:00Z") == 60


def test_years_have_four_digits() -> None:
    moment = datetime(1, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert time.format_time(moment) == "0001-01-01T00:00:02Z"
    assert time.format_micro_time(moment) == "0001-01-01T00:00:02.000000Z"
    assert time.canonical_micro_time("0001-01-01T02:00:02.000000+02:00") == "0001-01-01T00:00:02.000000Z"
