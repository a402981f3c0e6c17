"""What a profile keeps of itself, and what is made of settings that somebody has damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pybernetes.cli.main import main
from pybernetes.cluster import profile
from pybernetes.cluster.node import Member


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> profile.Profile:
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    monkeypatch.setattr(profile, "RUN", tmp_path / "run")
    found = profile.load("ci").changed({"index": 7, "nodes": [Member("ci-m02", 1)]})
    found.save()
    return found


DAMAGED = [
    "", "{", "[]", "{}", "7", '{"index": "x"}', '{"index": 1, "unknown": 2}', '{"index": 1, "nodes": 3}',
    '{"index": 1, "nodes": [{"name": "a"}]}', '{"index": 1, "nodes": [7]}', '{"index": 1, "pod_cidr": "here"}',
    '{"index": 1, "api_port": "6443"}',
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_settings_are_told_with_the_ways_out(
    text: str, kept: profile.Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    file, copy = kept.state / "profile.json", kept.run / "profile.json"
    file.write_text(text)
    for command in ("status", "stop", "start", "restart"):
        assert main([command, "-p", "ci"]) == 1
        error, step = capsys.readouterr().err.splitlines()
        assert error.startswith(f"error: {file} is damaged: ")
        assert step == f"  try: cp {copy} {file}; or remove the cluster: p8s delete --profile ci"
    assert profile.load_remains("ci") == kept
    assert main(["profile", "list", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "Damaged"
    copy.unlink()
    assert main(["status", "-p", "ci"]) == 1
    assert capsys.readouterr().err.endswith("restore it, or remove the cluster: p8s delete --profile ci\n")
    assert profile.load_remains("ci").state == kept.state


def test_settings_come_back_as_they_were_kept(kept: profile.Profile) -> None:
    assert profile.load("ci") == kept
