"""Ctrl-C at moments of our own choosing: between two steps, never within an import or half a file."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupts:
    """Whether somebody has pressed Ctrl-C meanwhile."""

    def __init__(self) -> None:
        self._pending = False

    def note(self, *_: object) -> None:
        self._pending = True

    def check(self) -> None:
        """Raises KeyboardInterrupt if so; only once, so that the cleaning up that follows is not cut off."""
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt


@contextmanager
def deferred() -> Iterator[Interrupts]:
    """SIGINT is only noted while the block runs. For the main thread."""
    interrupts = Interrupts()
    before = signal.signal(signal.SIGINT, interrupts.note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
