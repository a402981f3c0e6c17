"""p8s kubectl: which arguments are ours, and that the rest, the exit code and the credentials are kubectl's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybernetes.cli.commands.kubectl import split


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


def test_not_installed() -> None:
    done = run("/nowhere", "get", "pods")
    assert done.returncode == 127
    assert "error: kubectl is not installed" in done.stderr
    assert "try: curl -LO https://dl.k8s.io/release/" in done.stderr
