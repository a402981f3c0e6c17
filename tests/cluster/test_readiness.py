"""What a start says of what takes long."""

from __future__ import annotations

import os
from pathlib import Path

from pybernetes.cluster.interrupts import Interrupts
from pybernetes.cluster.profile import Profile, Settings
from pybernetes.cluster.readiness import Vigil

LONG_AGO = 1000.0


def test_only_what_was_logged_since_is_told(tmp_path: Path) -> None:
    """The last word of the run before looks as if the server served."""
    profile = Profile("ci", Settings(), tmp_path / "state", tmp_path / "run")
    profile.logs.mkdir(parents=True)
    log = profile.logs / "apiserver.log"
    log.write_text("serving\n")
    os.utime(log, (LONG_AGO, LONG_AGO))
    told: list[str] = []
    vigil = Vigil(profile, lambda: False, Interrupts(), told.append)
    vigil.tell("the API server", "apiserver")
    log.write_text("serving\nopening the store\n")
    future = log.stat().st_mtime + 60
    os.utime(log, (future, future))
    vigil.tell("the API server", "apiserver")
    assert told == [
        "still waiting for the API server",
        "still waiting for the API server; apiserver says: opening the store",
    ]
