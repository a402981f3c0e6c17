"""What happens while somebody else looks: a directory that is exchanged, a call that takes its time."""

import asyncio
import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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


class Held:
    """A method that waits in its thread until it is let go; `begun` when the first has come there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.begun, self._go_on, method = asyncio.Event(), threading.Event(), getattr(owner, name)
        loop = asyncio.get_running_loop()

        def held(*arguments: object, **named: object) -> object:
            loop.call_soon_threadsafe(self.begun.set)
            assert self._go_on.wait(10)
            return method(*arguments, **named)

        monkeypatch.setattr(owner, name, held)

    def let_go(self) -> None:
        self._go_on.set()
