"""The logs of a cluster's processes: their ends, and what is appended to them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO


def last_lines(path: Path, count: int) -> list[str]:
    """The end of a log, without line ends; nothing if there is no such log."""
    try:
        with path.open(errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []


class Tail:
    """What is appended to a file from now on, also when it is put aside and begun anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rest = ""
        self._file: TextIO | None = self._open()
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def lines(self) -> Iterator[str]:
        """Those that have become whole since the last call."""
        yield from self._read()
        if self._was_replaced():
            self.close()
            self._file = self._open()
            yield from self._read()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> TextIO | None:
        try:
            return self.path.open(errors="replace")
        except FileNotFoundError:
            return None

    def _was_replaced(self) -> bool:
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False
        return self._file is None or now.st_ino != os.fstat(self._file.fileno()).st_ino

    def _read(self) -> Iterator[str]:
        if self._file is None:
            return
        whole = (self._rest + self._file.read()).split("\n")
        self._rest = whole.pop()
        yield from whole


async def follow(paths: Sequence[Path], told: Callable[[Path, str], None]) -> None:
    """Tell what is appended to the files, until cancelled. Nothing is polled."""
    from pybernetes.aio.inotify import ENTRIES, MODIFY, Inotify

    tails = [Tail(path) for path in paths]
    try:
        with Inotify() as changes:
            for folder in {path.parent for path in paths}:
                changes.watch(folder, ENTRIES | MODIFY)
            while True:
                _tell(tails, told)
                await changes.wait()
    finally:
        for tail in tails:
            tail.close()


def _tell(tails: Sequence[Tail], told: Callable[[Path, str], None]) -> None:
    for tail in tails:
        for line in tail.lines():
            told(tail.path, line)
