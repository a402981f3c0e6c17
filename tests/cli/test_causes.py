"""Findings as text on a terminal."""

from __future__ import annotations

from pybernetes.cli.causes import Style, lines
from pybernetes.explain.causes import Cause, Finding, Ref

FINDING = Finding(
    Ref("deployment", "web", "shop"),
    "0 of 2 pods ready",
    (
        Cause(
            "waits",
            Ref("pod", "web-1", "shop"),
            seen=("it said so",),
            because=(Cause("the root", seen=("in  its\nwords",), steps=("kubectl get x", "or pray")),),
        ),
        Cause("another", steps=("kubectl get x",)),
    ),
    notes=("a note",),
)


def test_a_finding_as_text() -> None:
    assert "\n".join(lines(FINDING, Style(False, False))) == (
        """\
deployment/web of namespace shop: 0 of 2 pods ready
├─ pod/web-1 waits
│  │    it said so
│  └─ the root
│       in its words
└─ another
next: kubectl get x
      or pray
note: a note"""
    )


def test_colours_only_on_a_terminal() -> None:
    assert "\x1b[" not in "".join(lines(FINDING, Style(False, False)))
    assert "\x1b[31mthe root\x1b[0m" in "".join(lines(FINDING, Style(True, True)))


def test_a_log_cannot_command_the_terminal() -> None:
    finding = Finding(Ref("pod", "web"), "x", (Cause("y\x1b[2J", seen=("log: \x1b]0;owned\x07",)),))
    for is_terminal in (False, True):
        text = "".join(lines(finding, Style(is_terminal, is_terminal)))
        assert "\x1b[2J" not in text
        assert "\x1b]" not in text
