"""The browser of whoever called, and only where there is one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from pybernetes.cli import browser
from pybernetes.cluster.owner import Owner


@pytest.fixture
def opener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An xdg-open that notes for whom it was asked to open what."""
    program, noted = tmp_path / "xdg-open", tmp_path / "open" / "noted"
    noted.parent.mkdir(mode=0o777)
    noted.parent.chmod(0o777)
    made = tmp_path.relative_to(tempfile.gettempdir()).parts
    for depth in range(len(made)):
        Path(tempfile.gettempdir(), *made[: depth + 1]).chmod(0o755)
    program.write_text(f'#!/bin/sh\necho "$(id -u) $HOME $1" > {noted}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return noted


def test_opened_as_the_caller(opener: Path) -> None:
    asked = browser.open_url("http://127.0.0.1:30080", Owner(65534, 65534, Path("/home/nobody")))
    assert asked.wait(20) == 0
    assert opener.read_text() == "65534 /home/nobody http://127.0.0.1:30080\n"


@pytest.mark.parametrize(
    ("environment", "can"),
    [({}, False), ({"DISPLAY": ""}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "w"}, True)],
)
def test_only_with_a_display(environment: dict[str, str], can: bool, opener: Path) -> None:
    assert browser.can_open(environment) is can


def test_only_with_an_opener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert not browser.can_open({"DISPLAY": ":0"})
