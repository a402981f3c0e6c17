"""Each missing thing is named, with the step that mends it."""

import socket
from pathlib import Path

import pytest

from pybernetes.cluster import preflight
from pybernetes.cluster.profile import Profile, Settings


def profile(tmp_path: Path, port: int = 6443) -> Profile:
    return Profile("test", Settings(api_port=port), tmp_path / "state", tmp_path / "run")


def test_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        problem = preflight.check_port(profile(tmp_path, port))
    assert problem is not None
    assert str(port) in problem.cause
    assert "--api-port" in problem.next_step
    assert preflight.check_port(profile(tmp_path, port)) is None


def test_missing_controllers(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset memory")
    problem = preflight.check_cgroups(tmp_path)
    assert problem is not None
    assert "cpu, pids" in problem.cause


def test_controllers_of_version_1(tmp_path: Path) -> None:
    for name in ("cpu,cpuacct", "memory", "pids"):
        (tmp_path / name).mkdir()
    assert preflight.check_cgroups(tmp_path) is None


def test_full_disk(tmp_path: Path) -> None:
    problem = preflight.check_room(profile(tmp_path), needed=1 << 62)
    assert problem is not None
    assert "free" in problem.cause
    assert preflight.check_room(profile(tmp_path), needed=1) is None


def test_a_cluster_that_runs_has_its_port_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "check_rights", lambda **_: [])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        own = profile(tmp_path, taken.getsockname()[1])
        assert [problem.cause.startswith("port ") for problem in preflight.check(own)] == [True]
        assert preflight.check(own, running=True) == []


def test_who_is_not_root_is_told_to_do_the_same_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the profile and all else that was named: a bare start would make another cluster."""
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight.sys, "argv", ["/opt/bin/p8s", "start", "-p", "ci", "--nodes", "3"])
    [problem] = preflight.check_rights()
    assert problem.next_step.startswith("sudo p8s start -p ci --nodes 3; ")
    monkeypatch.setattr(preflight.sys, "argv", ["program"])
    [problem] = preflight.check_rights()
    assert problem.next_step.startswith("sudo program start; ")
