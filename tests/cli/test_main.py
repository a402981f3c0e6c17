"""The command line itself: help, wrong usage, and errors as cause and next step."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pybernetes.cli.main import COMMANDS


def p8s(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pybernetes.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    done = p8s(command, "--help")
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert "p8s " + command in done.stdout.split("examples:")[1]


def test_wrong_usage_exits_with_2() -> None:
    done = p8s("dance")
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


@pytest.mark.parametrize("command", ["stop", "status", "logs", "restart", "delete"])
def test_cluster_that_is_not_there(command: str) -> None:
    done = p8s(command, "--profile", "nobody-made-this")
    assert done.returncode == 3
    assert "there is no cluster 'nobody-made-this'" in done.stderr
    assert "try: p8s start --profile nobody-made-this" in done.stderr
    assert "Traceback" not in done.stderr


def test_malformed_profile_name() -> None:
    done = p8s("start", "--profile", "../etc")
    assert done.returncode == 1
    assert "not valid" in done.stderr


def test_version_as_json() -> None:
    assert json.loads(p8s("version", "-o", "json").stdout)["kubernetes"] == "1.36"


def test_offline_commands_import_no_server(tmp_path: Path) -> None:
    """Start-up stays quick: nothing that speaks to a network or signs certificates is loaded."""
    code = (
        "import sys; from pybernetes.cli.main import main; main(['version']); "
        "print([m for m in ('aiohttp', 'cryptography', 'msgspec', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "[]"
