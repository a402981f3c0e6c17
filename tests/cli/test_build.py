"""p8s image build: what is shown, and how options are read."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from pybernetes.builder.progress import Event, StepDone, StepFailed, StepOutput, StepsCounted, StepStarted, Warned
from pybernetes.cli.build_progress import Plain, Progress, Quiet, Terminal, choose
from pybernetes.cli.commands.image import build
from pybernetes.cli.console import Console, Failure

EVENTS: list[tuple[float, Event]] = [
    (0.0, StepsCounted(5)),
    (0.0, StepStarted(1, "[1/3] FROM base")),
    (0.5, StepDone(1)),
    (0.5, StepStarted(2, "[2/3] RUN a")),
    (0.6, StepStarted(3, "[other 1/2] RUN b")),
    (0.7, StepOutput(2, 1, b"one\ntw")),
    (0.8, StepDone(3, cached=True)),
    (0.9, StepOutput(2, 2, b"o\x1b[31m!\x1b[0m\n10%\r20%\nno end")),
    (1.0, StepFailed(2, "it broke")),
]


def shown(kind: type[Progress]) -> tuple[str, Progress]:
    out, now = io.StringIO(), [0.0]
    progress = kind(out, lambda: now[0])
    for now[0], event in EVENTS:
        progress.report(event)
    progress.close()
    return out.getvalue(), progress


def test_a_log_is_as_docker_prints_it() -> None:
    assert shown(Plain)[0].splitlines() == [
        "#1 [1/3] FROM base",
        "#1 DONE 0.5s",
        "",
        "#2 [2/3] RUN a",
        "#3 [other 1/2] RUN b",
        "#2 0.200 one",
        "#3 CACHED",
        "",
        "#2 0.400 two!",
        "#2 0.400 20%",
        "#2 0.500 no end",
        "#2 ERROR: it broke",
        "",
    ]


def test_a_terminal_keeps_what_has_ended_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "20")
    text, progress = shown(Terminal)
    lines: list[str] = []
    for line in text.split("\n"):
        # Each drawing begins by going back over the last one.
        if found := re.match(r"\x1b\[(\d+)F\x1b\[J", line):
            del lines[len(lines) - int(found[1]) :]
        lines.append(re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", line))
    assert lines == [
        " => [1/3] FROM base                 0.5s",
        " => ERROR [2/3] RUN a               0.5s",
        " => CACHED [other 1/2] RUN b        0.2s",
        "",
    ]
    counts = re.findall(r"\[\+\] Building \S+ \((\S+)\)", text)
    assert list(dict.fromkeys(counts)) == ["0/5", "1/5", "2/5", "3/5"]
    assert progress.failed is not None
    assert list(progress.failed.tail) == ["one", "two!", "20%", "no end"]


def test_what_is_shown_where() -> None:
    assert isinstance(choose("auto", io.StringIO()), Plain)
    assert isinstance(choose("tty", io.StringIO()), Terminal)
    assert isinstance(choose("quiet", io.StringIO()), Quiet)


def test_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("from a file")
    monkeypatch.setenv("TOKEN", "from the environment")
    assert build.argument("A=b=c") == ("A", "b=c")
    assert build.argument("TOKEN") == ("TOKEN", "from the environment")
    assert build.argument("NOWHERE") == ("NOWHERE", None)
    assert build.secret(f"id=s,src={tmp_path}/token") == ("s", b"from a file")
    assert build.secret("id=s,env=TOKEN") == ("s", b"from the environment")
    assert build.secret("id=TOKEN") == ("TOKEN", b"from the environment")
    for text, cause in (("src=x", "has no id"), ("id=s,src=/nowhere", "/nowhere: no such file")):
        with pytest.raises(Failure, match=cause):
            build.secret(text)
    build.check_platform("")
    with pytest.raises(Failure, match="images for linux/s390x cannot be built on this machine"):
        build.check_platform("linux/s390x")


@pytest.mark.parametrize(
    ("warnings", "as_json", "said", "code"),
    [
        ([], False, "check complete, no warnings found\n", 0),
        ([Warned("Rule: words", 3)], False, "", 1),
        ([Warned("Rule: words", 3)], True, '{"warnings": [{"message": "Rule: words", "line": 3}]}', 1),
    ],
)
def test_what_a_check_comes_to(warnings: list[Warned], as_json: bool, said: str, code: int) -> None:
    out, progress = io.StringIO(), Quiet(io.StringIO())
    progress.warnings = warnings
    assert build.checked(progress, Console(out, io.StringIO()), as_json=as_json) == code
    assert (json.loads(out.getvalue()) == json.loads(said)) if as_json else (out.getvalue() == said)
