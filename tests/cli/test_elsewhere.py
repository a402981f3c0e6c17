"""Words of other tools: none hides a command of ours, and kubectl has all that are said to be its own."""

from __future__ import annotations

import subprocess
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path

import pytest

from pybernetes.cli import elsewhere
from pybernetes.cli.commands.image import build
from pybernetes.cli.console import Failure
from pybernetes.cli.main import COMMANDS, COMPONENTS, build_parser, main
from pybernetes.cli.parser import branches, options


def test_no_command_or_option_of_ours_is_hidden() -> None:
    assert not {*elsewhere.COMMANDS, *elsewhere.KUBECTL} & {*COMMANDS, *COMPONENTS}
    assert not elsewhere.OPTIONS.keys() & set(options(branches(build_parser("start"))["start"]))


def test_kubectl_has_what_is_said_to_be_its_own() -> None:
    told = subprocess.run(["kubectl", "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert {line.split()[0] for line in told.splitlines() if line.startswith("  ")} >= elsewhere.KUBECTL


def test_an_image_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "load", "myapp:1"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: there is no file myapp:1\n  try: ")
    assert said.endswith(", if myapp:1 is an image\n")


def test_a_dockerfile_is_no_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM busybox\n")
    with ExitStack() as stack, pytest.raises(Failure) as raised:
        build.source(Namespace(context="app/Dockerfile", file=None), stack)
    assert raised.value.causes == [
        (
            "app/Dockerfile is a file, and a build wants the directory of its files",
            "p8s image build -f app/Dockerfile app",
        )
    ]
