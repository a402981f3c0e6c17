"""Cron schedules: what they mean, and what is no schedule."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pybernetes.wire.cron import CronError, parse

START = datetime(2026, 1, 30, 10, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", "2026-01-30T10:18"),
        ("*/5 * * * *", "2026-01-30T10:20"),
        ("17 * * * *", "2026-01-30T11:17"),
        ("0 0 * * *", "2026-01-31T00:00"),
        ("30 9-17/4 * * mon-fri", "2026-01-30T13:30"),
        ("0 12 1 * *", "2026-02-01T12:00"),
        ("0 0 29 feb *", "2028-02-29T00:00"),
        ("0 0 * * 0", "2026-02-01T00:00"),
        # A day that takes steps does not leave the choice to the day of the week, one of each day does.
        ("0 0 */2 * 1", "2026-01-31T00:00"),
        ("0 0 */1 * 1", "2026-02-02T00:00"),
        ("1,,2 * * * *", "2026-01-30T11:01"),
        ("@every 1h30m", "2026-01-30T11:47"),
        ("0 0 13 * 5", "2026-02-06T00:00"),
        ("0 0 ? * 5", "2026-02-06T00:00"),
        ("5/20 * * * *", "2026-01-30T10:25"),
        ("@hourly", "2026-01-30T11:00"),
        ("@yearly", "2027-01-01T00:00"),
    ],
)
def test_the_next_moment(text: str, expected: str) -> None:
    found = parse(text).next_after(START)
    assert found is not None
    assert found.isoformat(timespec="minutes") == expected + "+00:00"


def test_a_day_that_never_comes() -> None:
    assert parse("0 0 30 2 *").next_after(START) is None


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # Clocks skip from 2 to 3 on 29 March: half past two does not exist that day.
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "2026-03-30T00:30"),
        # They go from 3 back to 2 on 25 October: half past two comes twice.
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "2026-10-25T00:30"),
        (datetime(2026, 10, 25, 0, 45, tzinfo=UTC), "2026-10-25T01:30"),
        (datetime(2026, 10, 25, 1, 45, tzinfo=UTC), "2026-10-26T01:30"),
    ],
)
def test_clocks_that_change(start: datetime, expected: str) -> None:
    found = parse("30 2 * * *").next_after(start, ZoneInfo("Europe/Berlin"))
    assert found is not None
    assert found.isoformat(timespec="minutes") == expected + "+00:00"


def test_an_hour_that_clocks_repeat_is_no_pause() -> None:
    moment, minutes = datetime(2026, 10, 25, 0, 0, tzinfo=UTC), []
    for _ in range(12):
        found = parse("*/10 * * * *").next_after(moment, ZoneInfo("Europe/Berlin"))
        assert found is not None
        minutes.append((found - moment).total_seconds() / 60)
        moment = found
    assert minutes == [10] * 12


def test_a_day_that_begins_at_one() -> None:
    """In Cairo clocks skip from midnight to one."""
    found = parse("* * 24 4 *").next_after(datetime(2026, 4, 1, tzinfo=UTC), ZoneInfo("Africa/Cairo"))
    assert found == datetime(2026, 4, 23, 22, 0, tzinfo=UTC)


def test_the_last_moment_is_reckoned_from_where_it_began() -> None:
    now = START + timedelta(hours=5, minutes=10)
    assert parse("@every 1h").last_until(START, now) == START + timedelta(hours=5)
    assert parse("@every 1h").last_until(START, START + timedelta(minutes=59)) is None
    assert parse("0 0 * * *").last_until(START, now) is None
    assert parse("0 0 * * *").last_until(START - timedelta(days=400), now) == datetime(2026, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "* * * *", "* * * * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "x * * * *", "² * * * *", "@never", "@every 5x", "0 0 * * 7"])  # fmt: skip
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(CronError):
        parse(text)
