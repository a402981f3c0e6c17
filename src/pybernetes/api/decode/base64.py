"""Base64 as Go reads it: standard alphabet, padding required, line breaks ignored."""

from __future__ import annotations

import base64
import binascii
import re

_BREAKS = re.compile(r"[\r\n]")
_ALPHABET = re.compile(r"[A-Za-z0-9+/]", re.ASCII)


def canonical_base64(text: str) -> str:
    """The same bytes in canonical form; ValueError with Go's message when the text is no base64."""
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        wrong = illegal_base64(text)
        if wrong is not None:
            raise ValueError(f"illegal base64 data at input byte {wrong}") from None
        raw = base64.b64decode(_BREAKS.sub("", text))
    return binascii.b2a_base64(raw, newline=False).decode()


def illegal_base64(text: str) -> int | None:
    """Where the text stops being base64; None if it never does."""
    group: list[int] = []  # offsets of the characters of the quantum being read
    for offset, char in enumerate(text):
        if char in "\r\n":
            continue
        if char == "=":
            return _illegal_padding(text, offset, len(group))
        if not _ALPHABET.match(char):
            return _byte_offset(text, offset)
        group = [*group, offset] if len(group) < 4 else [offset]
    # A quantum that the text ends in is told by where it started.
    return None if len(group) in (0, 4) else _byte_offset(text, len(text)) - len(group)


def _illegal_padding(text: str, offset: int, read: int) -> int | None:
    """The rest from the first "=", after `read` characters of a quantum."""
    if read % 4 in (0, 1):
        return _byte_offset(text, offset)
    rest = [(at, char) for at, char in enumerate(text) if at > offset and char not in "\r\n"]
    if read == 2:
        if not rest:
            return _byte_offset(text, len(text))
        at, char = rest.pop(0)
        if char != "=":
            return _byte_offset(text, at) - 1
    return _byte_offset(text, rest[0][0]) if rest else None


def _byte_offset(text: str, offset: int) -> int:
    return len(text[:offset].encode("utf-8", "surrogatepass"))
