"""Whoever may write a directory can exchange what lies in it while somebody else looks."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE, _EXCHANGE = -100, 2


@contextmanager
def racing(volume: Path, target: str) -> Iterator[None]:
    """Exchange the directory `volume/dir` and a symlink to `target`, for ever and fast."""
    libc, stop = ctypes.CDLL(None), threading.Event()
    first, second = os.fsencode(volume / "dir"), os.fsencode(volume / "link")
    (volume / "dir").mkdir()
    (volume / "link").symlink_to(target)

    def race() -> None:
        while not stop.is_set():
            libc.renameat2(_HERE, first, _HERE, second, _EXCHANGE)

    thread = threading.Thread(target=race)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
