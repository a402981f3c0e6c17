"""The log file (`--audit-log-path`): JSON lines, to standard output or to a file that is rotated."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

log = logging.getLogger(__name__)
DEFAULT_MEGABYTES: Final = 100
STAMP: Final = "%Y-%m-%dT%H-%M-%S.%f"
"""Of a rotated file's name, its last three digits cut off."""


class Sink(Protocol):
    """Where events go."""

    def write(self, event: dict[str, Any]) -> None:
        """Never raises, never waits."""
        ...


class StandardOutput:
    """`--audit-log-path=-`."""

    def write(self, event: dict[str, Any]) -> None:
        try:
            sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
            sys.stdout.buffer.flush()
        except (OSError, ValueError) as error:
            log.error("audit event lost id=%s err=%s", event["auditID"], error)


class Rotation(Struct, frozen=True):
    """How large a file may get (0: 100 MB), and how many old ones are kept for how many days (0: all, for ever)."""

    megabytes: int = 0
    backups: int = 0
    days: int = 0


class LogFile:
    """Appended with one write each, so that lines of several servers never mix. A full file is renamed."""

    def __init__(self, path: Path, rotation: Rotation, now: Callable[[], datetime]) -> None:
        """Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._rotation = rotation
        self._now = now
        self._limit = (rotation.megabytes or DEFAULT_MEGABYTES) << 20
        self._open()

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def write(self, event: dict[str, Any]) -> None:
        line = msgspec.json.encode(event) + b"\n"
        try:
            if self._size and self._size + len(line) > self._limit:
                self._rotate()
            os.write(self._file, line)
            self._size += len(line)
        except OSError as error:
            log.error("audit event lost id=%s err=%s", event["auditID"], error)

    def _rotate(self) -> None:
        stamp = self._now().strftime(STAMP)[:-3]
        os.rename(self._path, self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        os.close(self._file)
        self._open()
        for old in self._surplus():
            old.unlink(missing_ok=True)

    def _surplus(self) -> list[Path]:
        """Rotated files that are too many or too old."""
        found: list[tuple[datetime, Path]] = []
        for path in self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"):
            text = path.name[len(self._path.stem) + 1 : len(path.name) - len(self._path.suffix)]
            try:
                found.append((datetime.strptime(text, STAMP).replace(tzinfo=self._now().tzinfo), path))
            except ValueError:
                continue  # somebody else's
        found.sort(reverse=True)
        too_many = found[self._rotation.backups :] if self._rotation.backups else []
        oldest = self._now() - timedelta(days=self._rotation.days)
        too_old = [pair for pair in found if self._rotation.days and pair[0] < oldest]
        return [path for _, path in {*too_many, *too_old}]
