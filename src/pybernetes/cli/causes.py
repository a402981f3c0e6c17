"""Findings as text: a tree from the object down to the root causes, what the cluster says, and what to do next."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence

from pybernetes.cli.console import Console
from pybernetes.explain.causes import Cause, Finding

BOLD, DIM, RED, GREEN, YELLOW, CYAN, PLAIN = (
    "\x1b[1m",
    "\x1b[2m",
    "\x1b[31m",
    "\x1b[32m",
    "\x1b[33m",
    "\x1b[36m",
    "\x1b[0m",
)
_COMMAND = re.compile(r"(?:kubectl|p8s|curl|df|ps) ")


def show(findings: Sequence[Finding], console: Console, where: str) -> None:
    """Print them; `where` names what was looked at if nothing is wrong there."""
    if not findings:
        console.line(f"nothing is wrong in {where}")
        return
    style = Style(console.is_terminal, console.has_colours)
    for number, finding in enumerate(findings):
        if number:
            console.line("")
        for line in lines(finding, style):
            console.line(line)


def printable(text: str) -> str:
    """Without what a terminal would obey: logs and messages are written by whoever runs in the cluster."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


class Style:
    """Colours and the width of lines, on a terminal; neither elsewhere."""

    def __init__(self, is_terminal: bool, has_colours: bool) -> None:
        self._has_colours = has_colours
        self._width = max(60, shutil.get_terminal_size().columns) if is_terminal else 0

    def __call__(self, text: str, *codes: str) -> str:
        shown = printable(text)
        return f"{''.join(codes)}{shown}{PLAIN}" if self._has_colours else shown

    def wrapped(self, text: str, indent: int) -> list[str]:
        text = printable(text)
        return textwrap.wrap(text, self._width - indent, break_on_hyphens=False) if self._width else [text]


def lines(finding: Finding, style: Style) -> Iterator[str]:
    """One finding: its object and state, the tree of causes, the next steps, notes."""
    colour = RED if finding.is_broken else YELLOW if finding.working else GREEN
    where = f" of namespace {finding.subject.namespace}" if finding.subject.namespace not in ("", "default") else ""
    yield f"{style(str(finding.subject), BOLD)}{style(where, DIM)}: {style(finding.facts, colour)}"
    yield from _tree(finding.causes, "", style)
    for number, step in enumerate(finding.steps()):
        yield style("next: " if not number else "      ", BOLD) + style(step, *([CYAN] if _COMMAND.match(step) else []))
    for note in finding.notes:
        yield from _hanging(style("note: ", BOLD), "      ", style.wrapped(note, 6))


def _tree(causes: Sequence[Cause], prefix: str, style: Style) -> Iterator[str]:
    for number, cause in enumerate(causes):
        is_last = number == len(causes) - 1
        below = prefix + ("   " if is_last else "│  ")
        subject = f"{style(str(cause.subject), BOLD)} " if cause.subject else ""
        head, *rest = style.wrapped(cause.what, len(below) + (len(str(cause.subject)) + 1 if cause.subject else 0))
        root = () if cause.because else (RED,)
        yield f"{style(prefix + ('└─ ' if is_last else '├─ '), DIM)}{subject}{style(head, *root)}"
        for line in rest:
            yield f"{style(below + '│  ' if cause.because else below, DIM)}{style(line, *root)}"
        inner = below + ("│  " if cause.because else "")
        for said in filter(None, cause.seen):
            for line in style.wrapped(" ".join(said.split()), len(inner) + 2):
                yield style(f"{inner}  {line}", DIM)
        yield from _tree(cause.because, below, style)


def _hanging(first: str, others: str, texts: list[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield (others if number else first) + text
