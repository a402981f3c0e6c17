"""The command line itself: help, wrong usage, and errors as cause and next step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybernetes.cli import console
from pybernetes.cli.main import COMMANDS, GROUPS, PASSING_ON, build_parser, failure_of
from pybernetes.cli.parser import branches
from pybernetes.cli.profiles import existing
from pybernetes.cluster import preferences, profile

PARSER = build_parser(*COMMANDS)
VERBS = [(command, verb) for command, parser in branches(PARSER).items() for verb in branches(parser)]


def p8s(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pybernetes.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env={**os.environ, **environment})


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in PASSING_ON])
def test_every_command_has_help_with_examples(command: str) -> None:
    shown = branches(PARSER)[command].format_help()
    assert "p8s " + command in shown.split("examples:")[1]


@pytest.mark.parametrize(("command", "verb"), VERBS)
def test_every_verb_has_help_with_examples(command: str, verb: str) -> None:
    shown = branches(branches(PARSER)[command])[verb].format_help()
    assert f"p8s {command} {verb}" in shown.split("examples:")[1]


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["start", "--help"], ["kubectl", "--help"], ["image", "ls", "-h"]]
)
def test_help_is_printed(arguments: list[str]) -> None:
    done = p8s(*arguments)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: p8s")
    assert done.stderr == ""


def test_help_of_the_whole_shows_each_command_once_in_its_group() -> None:
    shown = p8s("--help").stdout.partition("\ncomponents,")[0]
    assert [shown.count(f"\n  {name} ") for name in COMMANDS] == [1] * len(COMMANDS)
    assert shown.index("the cluster:") < shown.index("\n  start ") < shown.index("nodes and images:")
    assert sum(len(names) for names in GROUPS.values()) == len({name for names in GROUPS.values() for name in names})


@pytest.mark.parametrize(
    ("arguments", "cause", "step"),
    [
        (["dance"], "p8s has no command 'dance'", "p8s --help"),
        (["strat"], "p8s has no command 'strat'", "p8s start"),
        (["stop", "--garce", "3"], "p8s stop has no option --garce", "--grace"),
        (["stop", "--gra=3"], "p8s stop has no option --gra", "--grace"),
        (["stop", "now"], "p8s stop takes no argument 'now'", "p8s stop --help"),
        (["stop", "--grace"], "p8s stop: argument --grace: expected one argument", "p8s stop --help"),
        (["image", "lss"], "p8s image has no command 'lss'", "p8s image ls"),
        (["image", "ls", "--ouput", "x"], "p8s image ls has no option --ouput", "--output"),
        (["image"], "p8s image: the following arguments are required: VERB", "p8s image --help"),
        (["status", "-o", "yaml"], "-o/--output cannot be 'yaml'", "one of json"),
        (["mount", "remove", "-p", "x"], "p8s mount remove takes one path", "p8s mount --help"),
        (["mount", "a:/b", "c"], "p8s mount a:/b takes no path", "p8s mount --help"),
        (["logs", "agent", "-n", "1", "--folow"], "p8s logs has no option --folow", "--follow"),
        (["stop", "--grace", "soon"], "p8s stop: argument --grace: 'soon' is no number of seconds", "p8s stop --help"),
        (["stop", "--grace=-1"], "p8s stop: argument --grace: '-1' is no number of seconds", "p8s stop --help"),
        (
            ["node", "add", "--wait", "nan"],
            "p8s node add: argument --wait: 'nan' is no number of seconds",
            "p8s node add --help",
        ),
        (
            ["node", "add", "--count", "0"],
            "p8s node add: argument --count: it has to be at least 1",
            "p8s node add --help",
        ),
        (
            ["node", "add", "--simulated", "-3"],
            "p8s node add: argument --simulated: '-3' is no whole number from 0 on",
            "p8s node add --help",
        ),
        (
            ["node", "delete", "m02", "--drain", "x"],
            "p8s node delete: argument --drain: 'x' is no number of seconds",
            "p8s node delete --help",
        ),
        (
            ["service", "web", "--wait", "inf"],
            "p8s service: argument --wait: 'inf' is no number of seconds",
            "p8s service --help",
        ),
        (["logs", "-n", "-1"], "p8s logs: argument -n/--lines: '-1' is no whole number from 0 on", "p8s logs --help"),
        (
            ["config", "set", "nodes", "x"],
            "nodes cannot be 'x': it is no whole number",
            "nodes: how many nodes the cluster has on this machine",
        ),
        (["config", "set", "node", "3"], "there is no option 'node'", "nodes"),
        (["config", "get", "node"], "there is no option 'node'", "nodes"),
        (["addons", "enable", "ingres"], "there is no addon 'ingres'", "ingress"),
        (
            ["status", "-p", "A"],
            "profile name 'A' is not valid",
            "use lower-case letters, digits and '-', at most 40 characters",
        ),
        (
            ["kubectl", "-p", "../etc", "get", "pods"],
            "profile name '../etc' is not valid",
            "use lower-case letters, digits and '-', at most 40 characters",
        ),
        (
            ["get", "pods", "-l", "app in (a)"],
            "get is a command of kubectl, not of p8s",
            "kubectl get pods -l 'app in (a)'",
        ),
        (["help", "start"], "help is an option", "p8s start --help"),
        (["help"], "help is an option", "p8s --help"),
        (
            ["ssh"],
            "p8s has no command 'ssh': nodes are this machine: there is nothing to log in to",
            "kubectl debug node/NODE -it --image=busybox; images and files are yours to see: p8s image ls, p8s df",
        ),
        (["up"], "p8s has no command 'up': that is start here", "p8s start"),
        (
            ["delete", "pod", "x"],
            "p8s delete takes no argument 'pod'",
            "p8s delete --help; of objects: kubectl delete pod x",
        ),
        (["stop", "x"], "p8s stop takes no argument 'x'", "p8s stop --help"),
        (
            ["start", "--driver=docker", "--cpus", "2"],
            "p8s start has no option --driver: there are no drivers: containers run on this machine itself",
            "leave it out: p8s start",
        ),
        (["why", "web"], "'web' is a kind or a name, not both", "p8s why deployment/web"),
        (["why", "deploymnet/web"], "there is no kind 'deploymnet' that could be explained", "p8s why deployment/web"),
        (
            ["image", "build", "-t", "No Way", "."],
            'couldn\'t parse image name "No Way": invalid reference format: repository name (library/No Way) must be lowercase',
            "names are [HOST[:PORT]/]PATH[:TAG], in lower case",
        ),
        (["image", "pull", "nginx@latest"], "", "names are [HOST[:PORT]/]PATH[:TAG], in lower case"),
        (
            ["image", "build", "--secret", "src=x", "."],
            "invalid secret 'src=x': it has no id",
            "--secret id=NAME,src=FILE",
        ),
        (["kubectl", "--profile"], "p8s kubectl: argument -p/--profile: expected one argument", "p8s kubectl --help"),
    ],
)
def test_wrong_usage_exits_with_2_and_the_nearest(arguments: list[str], cause: str, step: str) -> None:
    done = p8s(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    error, *steps = done.stderr.splitlines()
    assert error.removeprefix("error: ") == cause or not cause
    assert steps == [f"  try: {step}"]


@pytest.mark.parametrize(
    "command", ["stop", "status", "logs", "restart", "delete", "update-context", "docker-env", "df", "pause", "unpause"]
)
def test_cluster_that_is_not_there(command: str) -> None:
    done = p8s(command, "--profile", "nobody-made-this")
    assert done.returncode == 3
    assert "there is no cluster 'nobody-made-this'" in done.stderr
    assert "try: p8s start --profile nobody-made-this" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["service", "web"], ["service", "list"], ["tunnel"], ["ip"], ["why"], ["kubectl", "get", "pods"]]
)
@pytest.mark.parametrize("kubeconfig", ["", '{"clusters": [], "contexts": [], "users": []}'])
def test_cluster_that_is_in_no_kubeconfig(arguments: list[str], kubeconfig: str, tmp_path: Path) -> None:
    """What may be asked without root looks into the caller's kubeconfig."""
    place = tmp_path / "config"
    if kubeconfig:
        place.write_text(kubeconfig)
    command, *rest = arguments
    done = p8s(command, "--profile", "nobody-made-this", *rest, KUBECONFIG=str(place))
    assert done.returncode == 3
    cause, step = done.stderr.splitlines()
    assert cause.startswith("error: there is no cluster 'nobody-made-this': ")
    assert str(place) in cause
    assert "Errno" not in cause
    assert step.startswith("  try: p8s start --profile nobody-made-this")


def test_what_is_roots_says_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that was started with sudo is no cluster of the caller's, and yet it is there."""
    (tmp_path / "state/ci").mkdir(parents=True)
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    arguments = build_parser("df").read(["df", "-p", "ci"])
    with pytest.raises(PermissionError) as raised:
        existing(arguments)
    failure = failure_of(raised.value, ["df", "-p", "ci"])
    assert failure.causes == [("cluster 'ci' belongs to root: only root may do this", "sudo p8s df -p ci")]


def test_the_preferred_cluster_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "load", lambda: {"profile": "ci"})
    assert [preferences.command("start", name) for name in ("ci", "x")] == ["p8s start", "p8s start --profile x"]


def test_malformed_profile_name() -> None:
    done = p8s("start", "--profile", "../etc")
    assert done.returncode == 2
    assert "not valid" in done.stderr


def test_version_goes_by_either_name() -> None:
    assert p8s("--version", "-p", "none").stdout == p8s("version", "-p", "none").stdout != ""


def test_version_as_json() -> None:
    said = json.loads(p8s("version", "--client", "-o", "json").stdout)
    assert said["kubernetes"] == "1.36"
    assert said["server"] is None


def test_broken_pipe_is_no_message() -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m pybernetes.cli.main completion bash | true"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode in (0, 141)


def test_what_needs_root_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    failure = failure_of(PermissionError(13, "Permission denied", "/var/lib/x"), ["logs", "-n", "3"])
    assert failure.causes == [("/var/lib/x: Permission denied: only root may do this", "sudo p8s logs -n 3")]
    assert failure.code == 1


def test_what_is_to_be_typed_works_where_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a venv, sudo would not find p8s; root needs no sudo, unless it was sudo that made them root."""
    program = tmp_path / "bin" / "p8s"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setattr(console, "SUDO_PATH", "/nowhere")
    assert console.typed("sudo p8s start") == "p8s start"
    monkeypatch.setenv("SUDO_UID", "1000")
    assert console.typed("sudo p8s start") == "sudo p8s start"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert console.typed("sudo p8s start; or wait") == f"sudo {program} start; or wait"
    monkeypatch.setattr(console, "SUDO_PATH", str(program.parent))
    assert console.typed("sudo p8s start") == "sudo p8s start"


def test_a_fault_of_ours_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P8S_TRACEBACK", raising=False)
    [(cause, step)] = failure_of(ZeroDivisionError("by zero"), ["status"]).causes
    assert cause == "p8s has failed: ZeroDivisionError: by zero"
    assert step.startswith("P8S_TRACEBACK=1 p8s status")


def test_offline_commands_import_no_server(tmp_path: Path) -> None:
    """Start-up stays quick: nothing that speaks to a network or signs certificates is loaded."""
    heavy = ("aiohttp", "asyncio", "cryptography", "msgspec", "ssl", "yaml")
    for command in (["version", "--client"], ["config", "view"], ["profile", "list"], ["completion", "fish"]):
        code = (
            f"import sys; from pybernetes.cli.main import main; main({command}); "
            f"print([m for m in {heavy} if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
        assert done.stdout.splitlines()[-1] == "[]", command
