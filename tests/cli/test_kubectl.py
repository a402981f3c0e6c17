"""p8s kubectl: which arguments are ours, and that the rest, the exit code and the credentials are kubectl's."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pybernetes.aio import self_signed
from pybernetes.cli import console
from pybernetes.cli.commands.kubectl import split
from pybernetes.cli.main import main
from pybernetes.cluster import control, profile


@pytest.mark.parametrize(
    ("arguments", "own", "rest"),
    [
        ([], [], []),
        (["get", "pods"], [], ["get", "pods"]),
        (["-p", "ci", "get", "pods"], ["-p", "ci"], ["get", "pods"]),
        (["--profile=ci", "-n", "shop", "get", "pods"], ["--profile=ci"], ["-n", "shop", "get", "pods"]),
        (["-p", "ci", "--", "-n", "shop", "get"], ["-p", "ci"], ["-n", "shop", "get"]),
        (["logs", "-p", "web"], [], ["logs", "-p", "web"]),
        (["exec", "web", "--", "ls"], [], ["exec", "web", "--", "ls"]),
        (["-p"], ["-p"], []),
    ],
)
def test_split(arguments: list[str], own: list[str], rest: list[str]) -> None:
    assert split(arguments) == (own, rest)


def run(path: str, *arguments: str, kubeconfig: str = "/home/me/config") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path, "KUBECONFIG": f"{kubeconfig}:/other"}
    command = [sys.executable, "-m", "pybernetes.cli.main", "kubectl", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)


def test_becomes_kubectl(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho "$KUBECONFIG" "$@"\nexit 7\n')
    program.chmod(0o755)
    place = tmp_path / "config"
    place.write_text("contexts: [{name: nobody-made-this}]")
    words = ("-p", "nobody-made-this", "get", "pods", "-o", "wide")
    done = run(f"{tmp_path}:/bin:/usr/bin", *words, kubeconfig=str(place))
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{place} --context=nobody-made-this get pods -o wide\n"


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> profile.Profile:
    """A cluster that is there and does not run; whoever would ask it gets no kubectl."""
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    monkeypatch.setattr(profile, "RUN", tmp_path / "run")
    found = profile.load("ci")
    found.save()
    found.kubeconfig("admin").write_text("contexts: [{name: ci}]")
    program = tmp_path / "bin/kubectl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return found


def test_a_cluster_that_does_not_run_is_told_of(
    stopped: profile.Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kubectl", "-p", "ci", "get", "pods"]) == 3
    assert capsys.readouterr().err == "error: cluster 'ci' is stopped\n  try: p8s start --profile ci\n"
    (stopped.run / control.PAUSED).touch()
    assert main(["kubectl", "-p", "ci", "-n", "shop", "get", "pods"]) == 3
    assert capsys.readouterr().err == "error: cluster 'ci' is paused\n  try: p8s unpause --profile ci\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["kubectl", "-p", "ci", "get", "pods"],
        ["why", "-p", "ci"],
        ["why"],
        ["service", "-p", "ci", "list"],
        ["status", "-p", "ci"],
    ],
)
def test_a_stopped_cluster_of_roots_is_told_of_to_others(
    arguments: list[str],
    stopped: profile.Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They have it in their kubeconfig, since they started it through sudo."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        server = f"https://127.0.0.1:{probe.getsockname()[1]}"
    files = self_signed.ensure(tmp_path / "tls", "ci", ["ci"], datetime.now(UTC))
    certificate, key = (base64.b64encode(Path(file).read_bytes()).decode() for file in files)
    user = {"client-certificate-data": certificate, "client-key-data": key}
    tree = {
        "clusters": [{"name": "ci", "cluster": {"server": server, "certificate-authority-data": certificate}}],
        "contexts": [{"name": "ci", "context": {"cluster": "ci", "user": "ci"}}],
        "current-context": "ci",
        "users": [{"name": "ci", "user": user}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(tree))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(console, "SUDO_PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", ["p8s"])
    assert main(arguments) == 3
    said = capsys.readouterr()
    assert "cluster 'ci' is stopped" in said.out + said.err
    assert "sudo p8s start --profile ci" in said.out + said.err


@pytest.mark.parametrize("words", [["version"], ["config", "view"], []])
def test_what_asks_no_cluster_is_kubectls(
    words: list[str], stopped: profile.Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def become(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        asked.append(arguments)
        raise SystemExit

    monkeypatch.setattr(os, "execve", become)
    with pytest.raises(SystemExit):
        main(["kubectl", "-p", "ci", *words])
    assert asked == [["kubectl", "--context=ci", *words]]


def test_not_installed() -> None:
    done = run("/nowhere", "get", "pods")
    assert done.returncode == 127
    assert "error: kubectl is not installed" in done.stderr
    assert "try: curl -LO https://dl.k8s.io/release/" in done.stderr
