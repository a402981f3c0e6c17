"""Transcripts: what a user types and what the screen shows, run for real.

    $ command            run once with sh; what follows is what it must print (stdout and stderr)
    $~ command           run again until it prints this, for at most 20 s
    [1]                  as the last line: the exit code, where it is not 0

In the expected output runs of blanks are equal, a line `...` stands for any lines, and `{{...}}` for text that
differs from run to run: `{{age}}`, `{{ip}}`, `{{any}}` and the others of NAMES, or a regular expression. With
`{{name=pattern}}` the text becomes the shell variable `$name` of the commands that follow. Lines that begin with `#`
and a blank are headings.
"""

import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NAMES = {
    "age": r"(?:\d+[smhd])+",
    "any": r".*?",
    "ip": r"10\.\d+\.\d+\.\d+",
    "number": r"\d+",
    "word": r"\S+",
    "hash": r"[bcdfghjklmnpqrstvwxz2456789]{6,10}",
    "suffix": r"[bcdfghjklmnpqrstvwxz2456789]{5}",
    "digest": r"sha256:[0-9a-f]{64}",
    "time": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
}
PLACEHOLDER = re.compile(r"\{\{(?:(\w+)=)?(.*?)\}\}")
PATIENCE = 20.0
PAUSE = 0.1


@dataclass(slots=True)
class Step:
    """A command with the line it stands on, and what it must print."""

    line: int
    command: str
    repeat: bool
    expected: list[str] = field(default_factory=list)
    code: int = 0


class Mismatch(AssertionError):
    """A command printed something else, or ended with another code."""


def parse(text: str) -> list[Step]:
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("$"):
            repeat = line.startswith("$~")
            steps.append(Step(number, line[2 if repeat else 1 :].strip(), repeat))
        elif re.fullmatch(r"\[\d+\]", line):
            steps[-1].code = int(line[1:-1])
        elif line.startswith("  > "):
            steps[-1].command += "\n" + line[4:]
        elif steps and line.strip() and not re.match(r"#(\s|$)", line):
            steps[-1].expected.append(line)
    return steps


def pattern(expected: list[str]) -> re.Pattern[str]:
    """The expected lines as one regular expression over normalised output."""
    parts = []
    for line in (normal(line).strip() for line in expected):
        if line == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        position, built = 0, ""
        for found in PLACEHOLDER.finditer(line):
            built += re.escape(line[position : found.start()])
            inner = NAMES.get(found[2], found[2])
            built += f"(?P<{found[1]}>{inner})" if found[1] else f"(?:{inner})"
            position = found.end()
        parts.append(built + re.escape(line[position:]) + r"\n")
    return re.compile("".join(parts))


def normal(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text)


def normal_output(text: str) -> str:
    return "".join(normal(line).strip() + "\n" for line in text.splitlines() if line.strip())


def run(path: Path, environment: Mapping[str, str], directory: Path) -> None:
    """Run a transcript file; raises Mismatch at the first step that comes out differently."""
    variables = dict(environment)
    for step in parse(path.read_text()):
        output, code, captured = attempt(step, variables, directory)
        if captured is None:
            expected = "\n".join(step.expected)
            raise Mismatch(
                f"{path.name}:{step.line}: $ {step.command}\n--- expected [{step.code}]\n{expected}\n"
                f"--- printed [{code}]\n{output}"
            )
        variables |= captured


def attempt(step: Step, variables: Mapping[str, str], directory: Path) -> tuple[str, int, dict[str, str] | None]:
    """Output, exit code and captured variables; None if the step did not come out as expected."""
    wanted = pattern(step.expected)
    deadline = time.monotonic() + (PATIENCE if step.repeat else 0)
    while True:
        done = subprocess.run(
            ["sh", "-c", step.command], env={**os.environ, **variables}, cwd=directory, text=True, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        found = wanted.fullmatch(normal_output(done.stdout))
        if found and done.returncode == step.code:
            return done.stdout, done.returncode, found.groupdict()
        if time.monotonic() >= deadline:
            return done.stdout, done.returncode, None
        time.sleep(PAUSE)
