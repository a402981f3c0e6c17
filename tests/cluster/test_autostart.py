"""A cluster that comes up with the machine: the unit, and what is said where there can be none."""

from __future__ import annotations

import configparser
import os
import shlex
from pathlib import Path

import pytest

from pybernetes.cluster import autostart
from pybernetes.cluster.autostart import AutostartError
from pybernetes.cluster.delete import inventory
from pybernetes.cluster.owner import Owner
from pybernetes.cluster.profile import Profile, Settings

SYSTEMCTL = """#!/bin/sh
# Does to UNITS what systemctl would.
echo "$@" >> "$UNITS/../asked"
wants="$UNITS/multi-user.target.wants"
for unit; do :; done
case "$1" in
    enable) mkdir -p "$wants" && ln -sf "$UNITS/$unit" "$wants/$unit" ;;
    disable) rm -f "$wants/$unit" ;;
esac
"""
OWNER = Owner(1000, 1000, Path("/home/somebody"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that systemd runs."""
    units, programs = tmp_path / "units", tmp_path / "bin"
    for directory in (units, programs, tmp_path / "booted"):
        directory.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL)
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("UNITS", str(units))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(autostart, "UNITS", units)
    monkeypatch.setattr(autostart, "BOOTED", tmp_path / "booted")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile("ci-2", Settings(simulated=True), tmp_path / "state", tmp_path / "run")


def test_unit_starts_and_stops_the_cluster_for_whom_it_was_made(machine: Path, profile: Profile) -> None:
    assert autostart.enable(profile, OWNER)
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(machine / "units/pybernetes-ci-2.service")
    service = unit["Service"]
    assert service["ExecStart"].endswith(" -m pybernetes.cli.main start --profile ci-2")
    assert service["ExecStop"].endswith(" -m pybernetes.cli.main stop --profile ci-2")
    assert Path(shlex.split(service["ExecStart"])[0]).is_absolute()
    assert service["Environment"] == "SUDO_UID=1000"
    assert autostart.is_enabled("ci-2")
    assert not autostart.is_enabled("ci")
    assert str(machine / "units/pybernetes-ci-2.service") in inventory(profile)


def test_enabling_is_safe_to_repeat_and_follows_another_owner(machine: Path, profile: Profile) -> None:
    assert autostart.enable(profile, OWNER)
    assert not autostart.enable(profile, OWNER)
    assert autostart.enable(profile, Owner(1001, 1001, Path("/home/another")))


def test_a_unit_that_somebody_has_taken_away_is_made_again(machine: Path, profile: Profile) -> None:
    autostart.enable(profile, OWNER)
    (machine / "units/pybernetes-ci-2.service").unlink()
    assert autostart.enable(profile, OWNER)
    assert (machine / "units/pybernetes-ci-2.service").exists()


def test_disabling_leaves_nothing(machine: Path, profile: Profile) -> None:
    autostart.enable(profile, OWNER)
    assert autostart.disable("ci-2")
    assert not autostart.is_enabled("ci-2")
    assert [path for path in (machine / "units").rglob("*") if not path.is_dir()] == []
    assert not autostart.disable("ci-2")


def test_a_cluster_that_does_not_run_is_not_started(machine: Path, profile: Profile) -> None:
    autostart.enable(profile, OWNER)
    assert (machine / "asked").read_text().splitlines() == ["daemon-reload", "enable pybernetes-ci-2.service"]


def test_without_systemd_the_line_for_another_init_is_told(machine: Path, profile: Profile) -> None:
    (machine / "booted").rmdir()
    with pytest.raises(AutostartError) as caught:
        autostart.enable(profile, OWNER)
    (problem,) = caught.value.problems
    assert problem.cause == "systemd does not run this machine"
    assert "p8s start --profile ci-2" in problem.next_step
    assert list((machine / "units").iterdir()) == []


def test_what_systemctl_says_is_told(machine: Path, profile: Profile) -> None:
    (machine / "bin/systemctl").write_text("#!/bin/sh\necho 'Access denied' >&2\nexit 4\n")
    with pytest.raises(AutostartError, match="systemctl daemon-reload: Access denied"):
        autostart.enable(profile, OWNER)
    assert list((machine / "units").iterdir()) == []


def test_clusters_of_others_than_root_are_refused(
    machine: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(AutostartError, match="if they are root's"):
        autostart.enable(profile, OWNER)
