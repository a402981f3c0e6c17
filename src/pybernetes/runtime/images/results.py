"""What steps of builds have come to, by key: a file each, so that a build writes only what is new."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from pybernetes.cri.building import Result
from pybernetes.runtime.snapshots import files

UNUSED_SECONDS = 30 * 24 * 3600
"""How long a result is kept that no build asks for; its file's time of change is its last use."""

_KEY = re.compile(r"[a-f0-9]{64}")


class Results:
    """The files below `root`. Every method may block; a file that cannot be read is a result that is not there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def start(self) -> None:
        """Make the directory, and forget what nobody used for long."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._root.iterdir():
            if time.time() - path.stat().st_mtime > UNUSED_SECONDS:
                path.unlink(missing_ok=True)

    def find(self, key: str) -> Result | None:
        path = self._path(key)
        if (found := _read(path)) is not None:
            with suppress(FileNotFoundError):  # forgotten this moment
                os.utime(path)
        return found

    def remember(self, key: str, result: Result) -> None:
        files.replace(self._path(key), msgspec.json.encode(result), durable=False)

    def clear(self) -> None:
        """Forget all; the next collection removes what only they have kept."""
        for path in self._root.iterdir():
            if _KEY.fullmatch(path.name):  # others are about to become one
                path.unlink(missing_ok=True)

    def chains(self) -> set[str]:
        return {result.filesystem.chain for result in self._all()}

    def blobs(self) -> set[str]:
        return {layer.digest for result in self._all() for layer in result.filesystem.layers}

    def _all(self) -> Iterator[Result]:
        for path in self._root.iterdir():
            if (result := _read(path)) is not None:
                yield result

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"bad key {key!r}")
        return self._root / key


def _read(path: Path) -> Result | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.DecodeError):
        return None
