"""The end of a log, read backwards."""

import os
from collections.abc import Iterator
from pathlib import Path

from pybernetes.kubelet.logs.record import open_log, parse

BLOCK = 64 * 1024


def last_lines(path: Path, lines: int, size: int) -> str:
    """The text of the last `lines` lines, at most the last `size` bytes of it. Blocking; empty if there is no log."""
    try:
        found = b"".join(_texts(path, lines))
    except OSError:
        return ""
    return found[-size:].decode(errors="replace")


def _texts(path: Path, lines: int) -> list[bytes]:
    texts: list[bytes] = []
    complete = 0
    for line in lines_backwards(path):
        record = parse(line)
        if record is None:
            continue
        complete += not record.is_partial
        if complete > lines:
            break
        texts.append(record.text)
    return texts[::-1]


def lines_backwards(path: Path) -> Iterator[bytes]:
    """Complete lines of a file, the last first, with their newlines; a line still being written is left out."""
    with open_log(path) as file:
        position = file.seek(0, os.SEEK_END)
        rest = b""
        is_end = True
        while position > 0:
            size = min(BLOCK, position)
            position -= size
            file.seek(position)
            first, *lines = (file.read(size) + rest).split(b"\n")
            if is_end and lines:
                lines.pop()
                is_end = False
            for line in reversed(lines):
                yield line + b"\n"
            rest = first
        if rest and not is_end:
            yield rest + b"\n"
