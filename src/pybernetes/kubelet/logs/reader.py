"""Reads a log forwards from a chosen line, through its rotated parts, to its end."""

import os
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from pybernetes.kubelet.logs.record import Record, files_of, open_log, parse
from pybernetes.kubelet.logs.tail import lines_backwards

CHUNK = 64 * 1024


class Selection(Struct, frozen=True):
    """What of a log is wanted (PodLogOptions)."""

    tail_lines: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None
    stream: str = "All"


class LogReader:
    """A position in a log. `read` gives what is there; again after the log has grown. Blocking; close it."""

    def __init__(self, path: Path, selection: Selection) -> None:
        self._path, self._selection = path, selection
        self._left = selection.limit_bytes
        self._rest = b""
        self._continues = False
        self._parts = files_of(path)
        self._file: BinaryIO | None = None
        if selection.tail_lines is not None:
            self._seek_tail(selection.tail_lines)

    @property
    def is_full(self) -> bool:
        """The byte limit is reached: nothing more will come."""
        return self._left is not None and self._left <= 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> bytes:
        """The next piece of text, empty when the end of what is written is reached."""
        while not self.is_full:
            data = self._next_bytes()
            if not data:
                return b""
            *lines, self._rest = (self._rest + data).split(b"\n")
            if text := b"".join(self._format(line + b"\n") for line in lines):
                return self._limited(text)
        return b""

    def _limited(self, text: bytes) -> bytes:
        if self._left is None:
            return text
        text = text[: self._left]
        self._left -= len(text)
        return text

    def _next_bytes(self) -> bytes:
        """From the open part; at its end from the next one, which may just have been made by a rotation."""
        while True:
            if self._file is None and not self._open_next():
                return b""
            assert self._file is not None
            if data := self._file.read(CHUNK):
                return data
            if not self._is_over():
                return b""
            self.close()

    def _open_next(self) -> bool:
        while self._parts:
            part = self._parts.pop(0)
            try:
                self._file = open_log(part)
            except OSError:
                continue
            return True
        return False

    def _is_over(self) -> bool:
        """Whether a newer part exists than the one that is open."""
        assert self._file is not None
        if self._parts:
            return True
        try:
            current = self._path.lstat()
        except FileNotFoundError:
            return False
        opened = os.fstat(self._file.fileno())
        if (current.st_dev, current.st_ino) == (opened.st_dev, opened.st_ino):
            return False
        self._parts = [self._path]
        return True

    def _format(self, line: bytes) -> bytes:
        record = parse(line)
        if record is None or not self._is_wanted(record):
            return b""
        begins = not self._continues
        self._continues = record.is_partial
        return record.time + b" " + record.text if self._selection.timestamps and begins else record.text

    def _is_wanted(self, record: Record) -> bool:
        wanted = self._selection.stream
        if wanted != "All" and record.stream.decode() != wanted.lower():
            return False
        return self._selection.since is None or record.moment >= self._selection.since

    def _seek_tail(self, lines: int) -> None:
        """Open the part in which the last `lines` lines begin, at their beginning."""
        missing = lines
        for index in reversed(range(len(self._parts))):
            try:
                offset, missing = _tail_offset(self._parts[index], missing)
            except OSError:
                del self._parts[index]
                continue
            if missing == 0 or index == 0:
                self._file = open_log(self._parts[index])
                self._file.seek(offset)
                del self._parts[: index + 1]
                return


def _tail_offset(path: Path, lines: int) -> tuple[int, int]:
    """Where the last `lines` lines of a part begin, and how many are missing from it."""
    with open_log(path) as file:
        size = file.seek(0, os.SEEK_END)
    position = size - _unfinished(path, size)
    for line in lines_backwards(path):
        record = parse(line)
        if record is not None and not record.is_partial:
            if lines == 0:
                return position, 0
            lines -= 1
        position -= len(line)
    return position, lines


def _unfinished(path: Path, size: int) -> int:
    """Bytes of a last line that is still being written."""
    with open_log(path) as file:
        file.seek(max(0, size - CHUNK))
        tail = file.read(CHUNK)
    return len(tail) - (tail.rfind(b"\n") + 1)
