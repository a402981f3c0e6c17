"""JSON that a client wrote: read as Go reads it, where a string is never half a character.

Escapes of lone surrogates, and bytes that are no UTF-8, become U+FFFD: a Python string that holds a surrogate could not
be encoded again, neither into an answer nor into the store. Depth is bounded, too, well below what the interpreter can
follow: an object that was taken in can be walked by everybody who meets it later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 200
"""Upstream takes 10,000; the deepest objects of real clusters, definitions of custom resources, have under 60."""

_ESCAPE: Final = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def well_formed(data: bytes) -> bytes:
    """The text, every string of which can be encoded; the same text if it was so already."""
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("utf-8", "replace").encode()
    if b"\\u" not in data:
        return data
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[2] else found[0], data)


def read_json(text: bytes | str) -> object:
    """The value. Raises ValueError for what is no JSON, is nested too deeply, or holds numbers beyond a double's."""
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    try:
        value: object = msgspec.json.decode(data)
    except RecursionError as error:
        raise ValueError("exceeded max depth") from error
    except ValueError:
        mended = well_formed(data)
        if mended == data:
            raise
        return read_json(mended)
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        refuse_depth(value)
    return value


def refuse_depth(value: object) -> None:
    """Raises ValueError for a value that is nested more than `MAX_DEPTH` levels deep."""
    level: Iterable[Any] = (value,)
    for _ in range(MAX_DEPTH + 1):
        level = [
            below
            for node in level
            if isinstance(node, dict | list)
            for below in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise ValueError("exceeded max depth")
