"""What p8s start is told: by flag, by file, by preference; and what it would make."""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from pybernetes.cli.commands import start
from pybernetes.cli.main import main
from pybernetes.cli.parser import Parser
from pybernetes.cluster import control, preferences, profile
from pybernetes.cluster.profile import Settings, load


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and a machine of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    monkeypatch.setattr(profile, "RUN", tmp_path / "run")


def parsed(*arguments: str) -> argparse.Namespace:
    parser = Parser(prog="p8s start")
    start.add_arguments(parser)
    return parser.read(arguments)


def resolved(*arguments: str) -> dict[str, Any]:
    return start.resolve(parsed(*arguments))


def test_nothing_said() -> None:
    assert resolved() == {"profile": "pybernetes"}
    assert start.changes(resolved()) == {}


def test_flag_before_file_before_preference(tmp_path: Path) -> None:
    preferences.save({"oci-runtime": "crun", "wait": 5.0, "store": "sqlite"})
    file = tmp_path / "p8s.yaml"
    file.write_text("oci-runtime: runc\nwait: 7\napi-port: 7443\nnodes: 2\n")
    assert resolved("--config", str(file), "--wait", "9") == {
        "profile": "pybernetes", "oci-runtime": "runc", "wait": 9.0, "api-port": 7443, "store": "sqlite", "nodes": 2,
    }  # fmt: skip


def test_profile_of_the_file(tmp_path: Path) -> None:
    preferences.save({"profile": "preferred"})
    file = tmp_path / "p8s.yaml"
    file.write_text("profile: ci\n")
    assert resolved()["profile"] == "preferred"
    assert resolved("--config", str(file))["profile"] == "ci"
    assert resolved("--config", str(file), "-p", "preferred")["profile"] == "preferred"


def test_preferences_do_not_change_a_cluster_that_is_there() -> None:
    preferences.save({"oci-runtime": "runc", "wait": 5.0})
    load("ci").save()
    assert resolved("-p", "ci") == {"profile": "ci", "wait": 5.0}


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        (["--nodes", "3"], {"nodes": 3}),
        (["--simulated", "--nodes", "3"], {"simulated": True, "simulated_nodes": 3}),
        (["--simulated"], {"simulated": True, "simulated_nodes": 1}),
        (
            ["--registry-mirror", "a=http://b", "--registry-mirror", "c=http://d"],
            {"registry_mirrors": ["a=http://b", "c=http://d"]},
        ),
    ],
)
def test_changes(arguments: list[str], changes: dict[str, Any]) -> None:
    assert start.changes(resolved(*arguments)) == changes


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--wait", "long"], "wait cannot be 'long'"),
        (["--wait=-1"], "wait cannot be '-1'"),
        (["--wait", "nan"], "wait cannot be 'nan'"),
        (["--nodes", "0"], "nodes cannot be '0'"),
        (["--nodes", "x"], "nodes cannot be 'x': it is no whole number"),
        (["--simulated", "--nodes=-3"], "nodes cannot be '-3'"),
        (["--api-port", "https"], "api-port cannot be 'https'"),
        (["--api-port", "65536"], "api-port cannot be '65536'"),
        (["--store", "redis"], "store cannot be 'redis'"),
        (["--oci-runtime", "docker"], "--oci-runtime cannot be 'docker'"),
        (["--registry-mirror", "docker.io"], "'docker.io' is not REGISTRY=URL"),
        (["--insecure-registry", "a b"], "'a b' is not HOST[:PORT]"),
        (["--extra-config", "apiserver.no-such-flag=1"], "apiserver has no flag --no-such-flag"),
        (["--extra-config", "etcd.x=1"], "'etcd' is none of apiserver"),
        (["--profile", "My Cluster"], "profile name 'My Cluster' is not valid"),
    ],
)
@pytest.mark.parametrize("command", ["start", "restart"])
def test_wrong_values_are_wrong_usage(
    command: str, arguments: list[str], cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    error, step = said.err.splitlines()
    assert error.startswith("error: ")
    assert cause in error
    assert step.startswith("  try: ")


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "/p8s.yaml: No such file"), ("nodes: x", "/p8s.yaml: nodes cannot be 'x'"), ("a", "does not hold options")],
)
def test_file_that_cannot_be_used(
    content: str | None, cause: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was typed may be right: it is the file that has to be mended."""
    if content is not None:
        (tmp_path / "p8s.yaml").write_text(content)
    assert main(["start", "--config", str(tmp_path / "p8s.yaml")]) == 1
    assert cause in capsys.readouterr().err


def test_preference_that_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    preferences.save({"nodes": "many"})
    assert main(["start"]) == 1
    assert f"{preferences.path()}: nodes cannot be 'many'" in capsys.readouterr().err


def test_dry_run_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert main(["start", "--dry-run", "-p", "ci", "--nodes", "2", "--api-port", "17443", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(tmp_path.rglob("*")) == before
    assert (found["status"], found["settings"]["apiPort"], found["problems"]) == ("New", 17443, [])
    for made in (str(tmp_path / "state" / "ci"), "bridge p8s0 with 10.244.0.1/24", "127.0.0.1:17443", "node ci-m02"):
        assert any(made in line for line in found["makes"]), made


def test_a_new_cluster_takes_ports_that_nobody_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither another program nor another cluster, which may be stopped; one that is asked for has to be free."""
    other = load("other").changed({"index": 9, "api_port": 6444, "registry_port": 5001})
    other.save()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.MonkeyPatch.context() as patch:
        port = taken.getsockname()[1]
        patch.setattr(Settings, "for_index", lambda index: Settings(index=index, api_port=port, registry_port=5001))
        assert main(["start", "--dry-run", "-p", "ci", "-o", "json"]) == 0
        settings = json.loads(capsys.readouterr().out)["settings"]
        assert settings["apiPort"] > port
        assert settings["registryPort"] >= 5002
        assert main(["start", "--dry-run", "-p", "ci", "--api-port", str(port)]) == 1
        assert f"port {port} on 127.0.0.1 is taken" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told_by_whom(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that is there keeps its port, so that it is not told to take another; one of ours is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["start", "--dry-run", "-p", "ci", "--api-port", str(port)]) == 1
        look = f"  try: see who has it with: ss -ltnp 'sport = :{port}'"
        assert f"{look}; or use another: p8s start --api-port PORT\n" in capsys.readouterr().err
        load("ci").changed({"api_port": port}).save()
        assert main(["start", "--dry-run", "-p", "ci"]) == 1
        assert f"{look}\n" in capsys.readouterr().err
        load("other").changed({"index": 9, "api_port": port}).save()
        monkeypatch.setattr(control, "is_running", lambda profile: profile.name == "other")
        assert main(["start", "--dry-run", "-p", "ci"]) == 1
        assert "  try: cluster 'other' has it: p8s stop --profile other\n" in capsys.readouterr().err


def test_dry_run_fails_as_the_start_would(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["start", "--dry-run", "--store", "etcd://127.0.0.1:1"]) == 1
    assert "no etcd answers" in capsys.readouterr().err


def test_store_of_a_cluster_that_is_there_cannot_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    load("ci").save()
    for command in ("start", "restart"):
        assert main([command, "-p", "ci", "--store", "etcd://127.0.0.1:1"]) == 1
        error = capsys.readouterr().err
        assert "was made with --store sqlite" in error
        assert "p8s delete --profile ci" in error
