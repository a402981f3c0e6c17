"""What simulated containers answer to commands. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

SHELLS: Final = ("sh", "bash", "ash", "/bin/sh", "/bin/bash", "/bin/ash")


class Reply(Struct, frozen=True):
    """What a command prints, and its exit code."""

    output: str = ""
    error: str = ""
    code: int = 0


def reply(command: Sequence[str], configured: Mapping[str, str], pod: str) -> Reply:
    """By the configured map (the command as one line, or `*`), then the few commands that every container knows."""
    line = command[2] if len(command) == 3 and command[0] in SHELLS and command[1] == "-c" else shlex.join(command)
    for known in (shlex.join(command), line):
        if known in configured:
            return Reply(_ended(configured[known]))
    match line.split():
        case ["true"] | []:
            return Reply()
        case ["false"]:
            return Reply(code=1)
        case ["hostname"]:
            return Reply(f"{pod}\n")
        case ["echo", *words]:
            return Reply(f"{_unquoted(' '.join(words), line)}\n")
    if "*" in configured:
        return Reply(_ended(configured["*"]))
    return Reply(
        error=f"{line}: simulated, nothing was run (annotation simulated.pybernetes.io/exec has the answers)\n"
    )


def _unquoted(words: str, line: str) -> str:
    """As a shell would pass them on; what is quoted wrongly stays as it is."""
    try:
        return " ".join(shlex.split(line)[1:])
    except ValueError:
        return words


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
