"""Console blocks of a document, run for real: what stands there is what the screen shows.

A block that begins with ```console is run, line by line in one shell per chapter; one marked ```console untested is not.
Lines after `$ ` are typed, the others must be printed. Names of pods, addresses, ages, sizes and the like differ from
run to run: they are told by their form. A line `...` stands for any lines. What reads a state is asked again until the
state is there.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PATIENCE, PAUSE, COMMAND_SECONDS = 60.0, 0.3, 120.0
END = "--ended:"
_READS = re.compile(
    r"(sudo )?(kubectl (get|top|describe|logs|events|rollout history)|curl|for i in|p8s (service|why|image ls|ip|status))"
)

# What differs from run to run, by the form it has in the document.
_FORMS: tuple[tuple[str, str], ...] = (
    (r"pvc-[0-9a-f]{8}-[0-9a-f-]{27}", r"pvc-[0-9a-f-]{36}"),
    (r"sha256:[0-9a-f]{6,64}", r"sha256:[0-9a-f]{6,64}"),
    (r"-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b", r"-[bcdf-hj-np-tv-xz2456789]{6,10}-[bcdf-hj-np-tv-xz2456789]{5}"),
    (r"(?<=-)[bcdfghjklmnpqrstvwxz2456789]{8,10}\b", r"[bcdf-hj-np-tv-xz2456789]{6,10}"),
    (r"\b10\.\d+\.\d+\.\d+\b", r"10\.\d+\.\d+\.\d+"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"),
    (r"\b3\d{4}\b", r"3\d{4}"),
    (r"\b\d+(?:\.\d+)?(?:ms|s|m|h|d)(?:\d+s)?\b", r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|µs))+"),
    (r"\b\d+(?:\.\d+)? ?(?:Mi|Ki|Gi|MB|kB|GB)\b", r"\d+(?:\.\d+)? ?(?:Mi|Ki|Gi|MB|kB|GB)"),
    (r"\b\d+%", r"\d+%"),
    (r"\b\d{6,} bytes", r"\d+ bytes"),
    (r"\([0-9a-f]{12}\)", r"\([0-9a-f]{12}\)"),
    # Which tags there are depends on the registry.
    (r"tags close to it: .*", r"tags close to it: .+"),
    (r"nginx=nginx:1\.18\.0", r"nginx=nginx:[0-9.]+"),
    (r"New size: \d+", r"New size: \d+"),
    (r"\bpybernetes(?=\s|$|/10|-m\d)", r"[a-z0-9-]+"),
)  # fmt: skip
_FORM = re.compile("|".join(f"(?P<f{index}>{form})" for index, (form, _) in enumerate(_FORMS)))


class Mismatch(AssertionError):
    """The screen shows something else than the document."""


@dataclass(slots=True)
class Step:
    """A command with the line it stands on, and the lines that it prints."""

    line: int
    command: str
    printed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Chapter:
    """The blocks below one heading."""

    title: str
    steps: list[Step] = field(default_factory=list)


def chapters(text: str, level: str = "### ") -> Iterator[Chapter]:
    """The chapters with something to run."""
    chapter, inside = Chapter(""), False
    for number, line in enumerate(text.splitlines(), 1):
        if inside and line.startswith("```"):
            inside = False
        elif inside and line.startswith("$ "):
            chapter.steps.append(Step(number, line[2:]))
        elif inside and line.startswith("> ") and chapter.steps and not chapter.steps[-1].printed:
            chapter.steps[-1].command += "\n" + line[2:]
        elif inside and chapter.steps:
            chapter.steps[-1].printed.append(line)
        elif line.strip() == "```console":
            inside = True
        elif line.startswith(level):
            if chapter.steps:
                yield chapter
            chapter = Chapter(line[len(level) :].strip())
    if chapter.steps:
        yield chapter


def pattern(printed: list[str]) -> re.Pattern[str]:
    """The printed lines as one regular expression over normal output."""
    parts = []
    for line in (normal(each) for each in printed):
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        elif line:
            parts.append(_generalised(line) + r"\n")
    return re.compile("".join(parts))


def _generalised(line: str) -> str:
    built, at = "", 0
    for found in _FORM.finditer(line):
        index = int((found.lastgroup or "f0")[1:])
        built += re.escape(line[at : found.start()]) + _FORMS[index][1]
        at = found.end()
    built += re.escape(line[at:])
    return built.replace(r"\.\.\.", ".*")


def normal(line: str) -> str:
    return re.sub(r"[ \t]+", " ", line.replace("\r", "")).strip()


class Shell:
    """One bash, to which commands are typed; what runs in its background goes on meanwhile."""

    def __init__(self, environment: Mapping[str, str], directory: Path, prelude: str = "") -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"], cwd=directory, env={**os.environ, **environment}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.run(prelude or ":")

    def run(self, command: str) -> str:
        """What it printed; the shell goes on whatever its exit code."""
        entry: IO[str] | None = self._process.stdin
        output: IO[str] | None = self._process.stdout
        assert entry is not None
        assert output is not None
        entry.write(f"{command}\necho; echo {END}$?\n")
        entry.flush()
        lines: list[str] = []
        deadline = time.monotonic() + COMMAND_SECONDS
        while not (line := output.readline()).startswith(END):
            if not line or time.monotonic() > deadline:
                raise Mismatch(f"$ {command}\ndid not end; printed:\n{''.join(lines)}")
            lines.append(line)
        return "".join(lines)

    def close(self) -> None:
        """End the shell and what it left in its background."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.write("kill $(jobs -p) 2>/dev/null; exit\n")
            process.stdin.close()


def run(chapter: Chapter, shell: Shell, cluster: str) -> None:
    """`cluster` is the name of the one that it runs in. Raises Mismatch at the first step that comes out differently."""
    for step in chapter.steps:
        step.command = step.command.replace("pybernetes-m", f"{cluster}-m")
        wanted = pattern(step.printed)
        deadline = time.monotonic() + PATIENCE
        while not wanted.fullmatch(output := _normal_output(shell.run(step.command))):
            if not _READS.match(step.command) or time.monotonic() >= deadline:
                expected = "\n".join(step.printed)
                raise Mismatch(
                    f"{chapter.title}, line {step.line}: $ {step.command}\n--- expected\n{expected}\n--- printed\n{output}"
                )
            time.sleep(PAUSE)


def _normal_output(text: str) -> str:
    return "".join(f"{line}\n" for each in text.splitlines() if (line := normal(each)))
