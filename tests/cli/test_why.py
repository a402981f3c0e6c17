"""`p8s why` where there is nothing to explain: no cluster, no such kind. What it explains: tests/badcases."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pybernetes.cli.main import main


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """One whose server does not listen; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"https://127.0.0.1:{probe.getsockname()[1]}"
    path = tmp_path / "config"
    path.write_text(
        f"""{{"clusters": [{{"name": "c", "cluster": {{"server": "{url}"}}}}],
        "contexts": [{{"name": "c", "context": {{"cluster": "c", "user": "u"}}}}], "current-context": "c",
        "users": [{{"name": "u", "user": {{}}}}]}}"""
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    return url


def test_no_cluster_answers(kubeconfig: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "deployment/web"]) == 3
    said = capsys.readouterr().err
    assert said.startswith(f"error: no cluster answers at {kubeconfig}: ")
    assert "\n  try: " in said


def test_no_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert main(["why", "--profile", "no-such-profile"]) == 3
    said = capsys.readouterr().err
    assert said.startswith(f"error: there is no cluster 'no-such-profile': there is no kubeconfig {tmp_path}/none\n")
    assert "  try: p8s start --profile no-such-profile, or if it is there: p8s update-context" in said


@pytest.mark.parametrize(
    ("given", "cause", "step"),
    [
        ("deploymnt/web", "there is no kind 'deploymnt' that could be explained", "p8s why deployment/web"),
        ("qqqqqq/web", "there is no kind 'qqqqqq' that could be explained", "kubectl api-resources names the kinds"),
        ("pod/web/x", "'pod/web/x' is not KIND/NAME", "p8s why pod/x"),
        ("pod/", "'pod/' is not KIND/NAME", "p8s why pod/NAME"),
    ],
)
def test_what_is_no_object(given: str, cause: str, step: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", given]) == 2
    assert capsys.readouterr().err == f"error: {cause}\n  try: {step}\n"


def test_a_kind_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "web"]) == 2
    assert capsys.readouterr().err == ("error: 'web' is a kind or a name, not both\n  try: p8s why deployment/web\n")
