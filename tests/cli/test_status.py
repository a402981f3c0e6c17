"""p8s status: what is shown of a cluster's processes."""

from __future__ import annotations

import pytest

from pybernetes.cli.commands.status import duration, row_of


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0s"), (59.9, "59s"), (60, "1m"), (307, "5m7s"), (3 * 3600 + 12 * 60 + 9, "3h12m"), (90_000, "1d1h")],
)
def test_durations_have_two_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_what_does_not_run_has_not_been_up() -> None:
    registry = {"name": "registry", "pid": 0, "restarts": 0, "uptime": 0.0, "listens": True}
    assert row_of(registry) == ["registry", "on demand", "0", "-"]
    assert row_of({"name": "agent", "pid": 7, "restarts": 2, "uptime": 61.0}) == ["agent", "7", "2", "1m1s"]
