"""`-o json` of commands that do something: the result alone, and nothing for people around it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pybernetes.cli.console import Console, Failure
from pybernetes.cli.main import COMMANDS, build_parser, main
from pybernetes.cli.parser import branches, options


def test_only_the_result_is_printed() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.only_json()
    console.live("under way")
    console.step("x", "done")
    console.note("beside")
    console.line("a line")
    console.json({"stopped": []})
    assert (json.loads(out.getvalue()), err.getvalue()) == ({"stopped": []}, "")


def test_failures_are_told_all_the_same() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.only_json()
    assert console.failure(Failure([("it broke", "mend it")])) == 1
    assert err.getvalue() == "error: it broke\n  try: mend it\n"


VERBS = ("node", "image", "addons", "autostart")
"""Commands that have verbs."""

EVERY = [
    "start --config /no/file", "stop", "restart", "pause", "unpause", "delete", "status", "node add",
    "node delete m02", "node stop m02", "node start m02", "node list", "image pull x", "image push x",
    "image load FILE", "image tag x y", "image build DIRECTORY", "image rm x", "image prune", "image ls",
    "image inspect x", "image save --json -o saved.tar x", "addons list", "addons enable ingress",
    "addons disable ingress", "autostart enable", "autostart disable", "service web", "service list", "tunnel", "ip",
    "mount /a:/b", "mount list", "mount remove /b", "update-context", "df", "docker-env", "why",
]  # fmt: skip


@pytest.mark.parametrize("words", EVERY)
def test_a_failure_is_json_too(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every command that prints JSON: whoever parses it need not look at the exit code first."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    words = words.replace("FILE", str(tmp_path / "file")).replace("DIRECTORY", str(tmp_path))
    command, *rest = words.split()
    json_flag = [] if "--json" in rest else ["-o", "json"]
    verb = [rest.pop(0)] if command in VERBS else []
    profile = ["-p", "nobody-made-this"]
    code = main([command, *verb, *profile, *rest, *json_flag])
    said = capsys.readouterr()
    assert code in (1, 3)
    [error, *_] = json.loads(said.out)["errors"]
    assert said.err.startswith(f"error: {error['cause']}\n")
    assert set(error) == {"cause", "next"}


def test_every_command_with_json_is_among_them() -> None:
    parsers = branches(build_parser(*COMMANDS))
    verbs = {f"{name} {verb}": sub for name, parser in parsers.items() for verb, sub in branches(parser).items()}
    printing = {name for name, parser in {**parsers, **verbs}.items() if {"--output", "--json"} & set(options(parser))}
    tried = {" ".join(words.split()[: 2 if words.split()[0] in VERBS else 1]) for words in EVERY}
    # These have no cluster that could be missing.
    assert printing - tried == {"config view", "doctor", "profile list", "version"}


@pytest.mark.parametrize(
    ("environment", "colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_who_wants_no_colours_gets_none(
    environment: dict[str, str], colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = Screen()
    console = Console(out, io.StringIO())
    console.step("🚀", "node Ready")
    assert out.getvalue().startswith("🚀  node Ready  ")
    assert ("\x1b[" in out.getvalue()) is colours
