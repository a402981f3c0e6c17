"""Output where UTF-8 is not spoken: signs of ASCII in the place of lines and pictures, never an error."""

from __future__ import annotations

import codecs
import io
from typing import IO

ERRORS = "pybernetes.plain"
_SIGNS = {
    "│": "|", "─": "-", "├": "|", "└": "`", "┌": "+", "┐": "+", "┘": "+", "┤": "|", "┬": "+", "┴": "+", "┼": "+",
    "✓": "+", "✗": "x", "’": "'",
}  # fmt: skip


def settle(*streams: IO[str]) -> None:
    """Let nothing that is written to these fail for its characters. Streams that were asked for another way keep it."""
    codecs.register_error(ERRORS, _plain)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape", "backslashreplace"):
            stream.reconfigure(errors=ERRORS)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_sign(each) for each in error.object[error.start : error.end]), error.end


def _sign(character: str) -> str:
    """A question mark for letters, a star for pictures."""
    from unicodedata import category

    return _SIGNS.get(character) or ("*" if category(character) == "So" else "?")
