"""What a cluster takes of the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybernetes.cli.commands.df import readable
from pybernetes.cluster.profile import Profile, Settings
from pybernetes.cluster.usage import measure, size


def test_each_file_counts_once_where_it_belongs(tmp_path: Path) -> None:
    profile = Profile("ci", Settings(), tmp_path / "state", tmp_path / "run")
    profile.save()
    (profile.state / "store").mkdir()
    (profile.state / "store" / "store.db").write_bytes(b"x" * 100_000)
    (profile.logs / "a.log.1").write_bytes(b"x" * 50_000)
    os.link(profile.logs / "a.log.1", profile.logs / "same.log")
    found = {row.what: row for row in measure(profile)}
    assert found["objects"].bytes >= 100_000
    assert 50_000 <= found["logs"].bytes < 100_000
    assert found["logs"].reclaimable is not None
    assert found["logs"].reclaimable >= 50_000
    assert found["images"].reclaimable is None
    assert sum(row.bytes for row in found.values()) == size(profile.state, set())


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 1_000_000)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "big")
    assert size(tmp_path / "here", set()) < 100_000


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0B"), (999, "999B"), (1000, "1kB"), (1_234_567, "1.23MB"), (10**12, "1TB")]
)
def test_readable(count: int, text: str) -> None:
    assert readable(count) == text
