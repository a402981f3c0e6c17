"""What the user reads: steps with their times, tables, errors as cause and next step. Emoji only on a terminal."""

import dataclasses
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

FAILED, WRONG_USAGE, NOT_RUNNING = 1, 2, 3
INTERRUPTED, BROKEN_PIPE = 130, 141
SUDO_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where sudo looks for programs, whatever the caller's PATH (secure_path, as distributions set it)."""


class Failure(Exception):
    """Ends a command: `causes` are pairs of what is wrong and what to do about it."""

    def __init__(self, causes: Sequence[tuple[str, str]], code: int = FAILED) -> None:
        super().__init__("; ".join(cause for cause, _ in causes))
        self.causes = causes
        self.code = code


def typed(step: str) -> str:
    """A next step as the caller has to type it: root needs no sudo, and sudo does not find what is in a venv."""
    if os.geteuid() == 0:
        return step if "SUDO_UID" in os.environ else step.replace("sudo p8s", "p8s")
    program = shutil.which(sys.argv[0])
    if program is None or os.path.basename(program) != "p8s" or shutil.which("p8s", path=SUDO_PATH):
        return step
    return step.replace("sudo p8s", f"sudo {shlex.quote(os.path.abspath(program))}")


def plain(value: Any) -> Any:
    """As JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {camel(each.name): plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def camel(name: str) -> str:
    """`next_step` as `nextStep`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def has_colours(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Console:
    """Standard output and error of a command."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err
        self._began = time.monotonic()
        self._live = False
        self._only_json = False
        self._wants_json = False

    @property
    def is_terminal(self) -> bool:
        return self._out.isatty()

    @property
    def has_colours(self) -> bool:
        """On a terminal that has them, unless the user wants none (no-color.org)."""
        return has_colours(self._out)

    def promise_json(self) -> None:
        """Whoever reads standard output will find JSON there, also of a failure; of wrong usage nothing."""
        self._wants_json = True

    def only_json(self) -> None:
        """From now on nothing is printed but the result: steps are for people."""
        self._only_json = True

    def line(self, text: str) -> None:
        if self._only_json:
            return
        self._end_live()
        print(text, file=self._out, flush=True)

    def live(self, text: str) -> None:
        """What is under way, on a terminal only: the next line takes its place, and "" takes it away."""
        if not text:
            self._end_live()
        elif self.is_terminal and not self._only_json and os.environ.get("TERM") != "dumb":
            width = shutil.get_terminal_size().columns - 6
            print(f"\r\x1b[K⏳  {text[:width]}", end="", file=self._out, flush=True)
            self._live = True

    def _end_live(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=self._out, flush=True)
            self._live = False

    def step(self, emoji: str, text: str) -> None:
        """A step that is done, with the seconds since the command began."""
        elapsed = f"{time.monotonic() - self._began:6.2f}s"
        if self.has_colours:
            self.line(f"{emoji}  {text}  \x1b[2m{elapsed.strip()}\x1b[0m")
        elif self.is_terminal:
            self.line(f"{emoji}  {text}  {elapsed.strip()}")
        else:
            self.line(f"{elapsed}  {text}")

    def json(self, value: Any) -> None:
        """The result of a command; dataclasses become objects, their names as Kubernetes writes them (camelCase)."""
        self._end_live()
        self._wants_json = False
        print(json.dumps(plain(value), indent=2), file=self._out, flush=True)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as kubectl prints them: padded, three spaces apart."""
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
        for row in (header, *rows):
            self.line("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def box(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns in a frame, as minikube draws them."""
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
        bars = ["─" * (width + 2) for width in widths]
        self.line(f"┌{'┬'.join(bars)}┐")
        self.line(f"│{'│'.join(f' {cell:^{width}} ' for cell, width in zip(header, widths, strict=True))}│")
        self.line(f"├{'┼'.join(bars)}┤")
        for row in rows:
            self.line(f"│{'│'.join(f' {cell:<{width}} ' for cell, width in zip(row, widths, strict=True))}│")
        self.line(f"└{'┴'.join(bars)}┘")

    def note(self, text: str) -> None:
        """What is going on, beside the output: on standard error."""
        if self._only_json:
            return
        self._end_live()
        print(text, file=self._err, flush=True)

    def failure(self, failure: Failure) -> int:
        """Tell it; its exit code."""
        self._end_live()
        for cause, next_step in failure.causes:
            print(f"error: {cause}", file=self._err)
            if next_step:
                print(f"  try: {typed(next_step)}", file=self._err)
        if self._wants_json and failure.code != WRONG_USAGE:
            self.json({"errors": [{"cause": cause, "next": typed(step)} for cause, step in failure.causes]})
        return failure.code
