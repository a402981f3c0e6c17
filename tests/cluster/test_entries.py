"""Waiting for a directory's entries."""

from __future__ import annotations

import os
import select
import threading
import time
from pathlib import Path

import pytest

from pybernetes.cluster import entries
from pybernetes.cluster.entries import CREATE, DELETE, Entries

LONG = 60.0


@pytest.mark.parametrize(
    ("mask", "change"),
    [
        (CREATE, lambda place: (place / "new").touch()),
        (CREATE, lambda place: (place / "old").rename(place / "renamed")),
        (DELETE, lambda place: (place / "old").unlink()),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_a_change_ends_the_wait(tmp_path: Path, mask: int, change: threading._TargetFunction, before: bool) -> None:
    """One that came between the block's begin and the wait counts too: nothing falls in between."""
    (tmp_path / "old").touch()
    with Entries(tmp_path, mask) as watched:
        thread = threading.Thread(target=change, args=(tmp_path,))
        thread.start()
        if before:
            thread.join()
        began = time.monotonic()
        watched.wait(LONG)
        assert time.monotonic() - began < LONG / 2
        thread.join()


def test_other_changes_do_not(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    with Entries(tmp_path, DELETE) as watched:
        os.close(os.open(tmp_path / "old", os.O_RDWR))
        (tmp_path / "new").touch()
        assert select.select([watched._descriptor], [], [], 0)[0] == []


def test_a_directory_that_is_not_there_is_looked_at_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(entries.time, "sleep", slept.append)
    with Entries(tmp_path / "none", CREATE) as watched:
        watched.wait(LONG)
    assert slept == [entries.PAUSE]
