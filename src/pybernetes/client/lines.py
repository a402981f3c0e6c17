"""Splits a byte stream into lines, without a limit on their length."""

from __future__ import annotations


class LineSplitter:
    """Feed chunks, get the lines that they complete. An unfinished line waits for its end."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines completed by `chunk`, without their newline; empty lines are left out."""
        head, newline, rest = chunk.rpartition(b"\n")
        if not newline:
            self._partial.append(chunk)
            return []
        if self._partial:
            head = b"".join([*self._partial, head])
        self._partial = [rest] if rest else []
        return [line for line in head.split(b"\n") if line]
