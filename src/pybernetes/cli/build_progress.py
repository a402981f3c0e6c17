"""What a build looks like: on a terminal steps with their times and last lines of output, elsewhere a plain log."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from pybernetes.builder.progress import Event, StepDone, StepFailed, StepOutput, StepsCounted, StepStarted, Warned

_TAIL = 6
_REDRAW_SECONDS = 0.1
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
BLUE, RED, YELLOW, DIM, PLAIN = "\x1b[34m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


@dataclass(slots=True)
class Shown:
    """A step as it is shown. `pending` is the beginning of a line whose end has not come yet."""

    number: int
    name: str
    began: float
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=200))
    pending: bytes = b""
    ended: float | None = None
    cached: bool = False
    failed: str = ""

    def take(self, data: bytes) -> list[str]:
        """The lines that are whole now."""
        *whole, self.pending = (self.pending + data).split(b"\n")
        lines = [_CONTROL.sub("", line.rpartition(b"\r")[2].decode(errors="replace")) for line in whole]
        self.tail.extend(lines)
        return lines

    def seconds(self, now: float) -> float:
        return (self.ended or now) - self.began


class Progress:
    """Collects events; `warnings` are told at the end, `failed` is the step that ended the build."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self.began = clock()
        self.steps: dict[int, Shown] = {}
        self.total = 0
        self.warnings: list[Warned] = []
        self.failed: Shown | None = None

    def report(self, event: Event) -> None:
        """For `builder.build`."""
        if isinstance(event, Warned):
            self.warnings.append(event)
            return
        if isinstance(event, StepsCounted):
            self.total = event.total
            return
        if isinstance(event, StepStarted):
            self.steps[event.number] = Shown(event.number, event.name, self._clock())
            self.started(self.steps[event.number])
            return
        step = self.steps[event.number]
        if isinstance(event, StepOutput):
            self.printed(step, step.take(event.data))
            return
        if step.pending:
            self.printed(step, step.take(b"\n"))
        step.ended = self._clock()
        if isinstance(event, StepDone):
            step.cached = event.cached
        elif isinstance(event, StepFailed):
            step.failed, self.failed = event.message, step
        self.finished(step)

    def started(self, step: Shown) -> None:
        """A step begins."""

    def printed(self, step: Shown, lines: list[str]) -> None:
        """A step's process has printed."""

    def finished(self, step: Shown) -> None:
        """A step has ended, well or not."""

    async def run(self) -> None:
        """What has to be done all the while."""

    def close(self) -> None:
        """Nothing more comes."""


class Quiet(Progress):
    """Nothing."""


class Plain(Progress):
    """As docker's `--progress=plain`."""

    def started(self, step: Shown) -> None:
        self._say(step, step.name)

    def printed(self, step: Shown, lines: list[str]) -> None:
        for line in lines:
            self._say(step, f"{self._clock() - step.began:.3f} {line}")

    def finished(self, step: Shown) -> None:
        done = f"DONE {step.seconds(0):.1f}s"
        self._say(step, f"ERROR: {step.failed}" if step.failed else "CACHED" if step.cached else done)
        print(file=self._out, flush=True)

    def _say(self, step: Shown, text: str) -> None:
        print(f"#{step.number} {text}", file=self._out, flush=True)


class Terminal(Progress):
    """Steps that have ended stay as lines; below them those that run, with what they printed last, drawn anew."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(out, clock)
        self._drawn = 0
        self._waiting: list[Shown] = []

    async def run(self) -> None:
        while True:
            self._draw([])
            await asyncio.sleep(_REDRAW_SECONDS)

    def started(self, step: Shown) -> None:
        self._waiting.append(step)
        self._draw([])

    def finished(self, step: Shown) -> None:
        """Lines stay in the order in which steps began."""
        settled = []
        while self._waiting and self._waiting[0].ended is not None:
            settled.append(self._line(self._waiting.pop(0)))
        self._draw(settled)

    def close(self) -> None:
        self._draw([self._line(step) for step in self._waiting], live=False)

    def _draw(self, settled: list[str], live: bool = True) -> None:
        width, height = shutil.get_terminal_size()
        lines: list[str] = []
        if live:
            for step in self._waiting:
                lines.append(self._line(step))
                if step.ended is None:
                    dim, plain = ("", "") if os.environ.get("NO_COLOR") else (DIM, PLAIN)
                    lines += [f"{dim} => => # {line[: width - 10]}{plain}" for line in list(step.tail)[-_TAIL:]]
            done = sum(step.ended is not None for step in self.steps.values())
            lines.append(f"[+] Building {self._clock() - self.began:.1f}s ({done}/{self.total})")
            lines = lines[-(height - 1) :]
        back = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        text = "".join(f"{line}\n" for line in (*settled, *lines))
        print(back + text, end="", file=self._out, flush=True)
        self._drawn = len(lines)

    def _line(self, step: Shown) -> str:
        width = shutil.get_terminal_size().columns
        seconds = f"{step.seconds(self._clock()):.1f}s"
        text = f" => {'CACHED ' if step.cached else 'ERROR ' if step.failed else ''}{step.name}"
        room = width - len(seconds) - 1
        text = text if len(text) <= room else f"{text[: room - 3]}..."
        colour = RED if step.failed else BLUE if step.ended is not None else ""
        colour = "" if os.environ.get("NO_COLOR") else colour
        return f"{colour}{text.ljust(room)} {seconds}{PLAIN if colour else ''}"


def choose(kind: str, out: TextIO) -> Progress:
    """For `--progress`: auto is for terminals, plain for everything else."""
    if kind == "quiet":
        return Quiet(out)
    is_screen = out.isatty() and os.environ.get("TERM") != "dumb"
    return Terminal(out) if kind == "tty" or (kind == "auto" and is_screen) else Plain(out)
