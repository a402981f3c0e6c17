"""Directories at other paths: kept, made again, taken away; and what is refused. Needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.cluster import mounts
from pybernetes.cluster.mounts import MountError
from pybernetes.cluster.profile import Profile, Settings


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    profile = Profile("ci", Settings(), tmp_path / "state", tmp_path / "run")
    profile.save()
    yield profile
    mounts.remove_all(profile)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("here")
    return source


def test_kept_and_made_again(profile: Profile, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    mount = mounts.add(profile, str(source), str(target), read_only=False)
    assert mount.made == str(tmp_path / "a")
    assert (target / "file").read_text() == "here"
    (target / "written").write_text("through")
    assert (source / "written").read_text() == "through"
    subprocess.run(["umount", str(target)], check=True)
    told: list[str] = []
    mounts.establish(profile, told.append)
    mounts.establish(profile, told.append)
    assert told == []
    assert mounts.is_mounted(mount)
    mounts.remove(profile, str(target))
    assert not (tmp_path / "a").exists()
    assert (source / "file").read_text() == "here"
    assert mounts.kept(profile) == []


def test_read_only(profile: Profile, source: Path, tmp_path: Path) -> None:
    mounts.add(profile, str(source), str(tmp_path / "target"), read_only=True)
    with pytest.raises(OSError, match="Read-only"):
        (tmp_path / "target" / "file").write_text("no")


def test_directory_that_was_there_stays(profile: Profile, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    mounts.add(profile, str(source), str(target), read_only=False)
    with pytest.raises(MountError, match=r"is not empty|a mount already"):
        mounts.add(profile, str(source), str(target), read_only=False)
    mounts.remove_all(profile)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("relative", "is not a full path"),
        ("/", "is not a full path"),
        ("/a/../b", "is not a full path"),
        ("/etc", "belongs to the system"),
        ("/proc/1", "belongs to the system"),
        ("/var/lib/pybernetes/x", "belongs to the system"),
        ("{folder}/full", "is not empty"),
        ("{folder}/file", "is no directory"),
        ("{folder}/link/x", "symbolic link"),
        ("{folder}/source/inside", "lies in the other"),
        ("{folder}", "lies in the other"),
    ],
)
def test_refused_targets(target: str, cause: str, profile: Profile, source: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(MountError, match=cause):
        mounts.add(profile, str(source), target.format(folder=tmp_path), read_only=False)
    assert mounts.kept(profile) == []


def test_missing_source(profile: Profile, tmp_path: Path) -> None:
    with pytest.raises(MountError, match="is no directory"):
        mounts.add(profile, str(tmp_path / "none"), str(tmp_path / "target"), read_only=False)


def test_link_put_in_the_way_is_not_followed(profile: Profile, source: Path, tmp_path: Path) -> None:
    """Between two starts somebody replaces a directory on the way, on either side."""
    victim = tmp_path / "victim"
    (victim / "b").mkdir(parents=True)
    mount = mounts.add(profile, str(source), str(tmp_path / "a" / "b"), read_only=False)
    subprocess.run(["umount", mount.target], check=True)
    os.rename(tmp_path / "a", tmp_path / "aside")
    (tmp_path / "a").symlink_to(victim)
    told: list[str] = []
    mounts.establish(profile, told.append)
    assert len(told) == 1
    assert list((victim / "b").iterdir()) == []
    (tmp_path / "a").unlink()
    os.rename(tmp_path / "aside", tmp_path / "a")
    source.rename(tmp_path / "moved")
    source.symlink_to(victim)
    mounts.establish(profile, told.append)
    assert len(told) == 2
    assert not mounts.is_mounted(mount)
