"""/statusz and /flagz as text for people (KEPs 4827 and 4828): separators change, so that nobody reads it by program."""

from __future__ import annotations

import dataclasses
import platform
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

SEPARATORS: Final = (":", ": ", "=", " ")
HEADER: Final = """
{name} {page}
Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.
"""


def status_text(name: str, level: str, began: datetime, seconds: int, paths: Sequence[str]) -> str:
    """Of a component of that API level (`1.36`) that has run for so many seconds."""
    by = random.choice(SEPARATORS)
    up = f"{seconds // 3600} hr {seconds // 60 % 60:02} min {seconds % 60:02} sec"
    lines = (
        ("Started", _unix_date(began)), ("Up", up), ("Go version", runtime_version()),
        ("Binary version", f"{level}.0"), ("Emulation version", level), ("Paths", " ".join(paths)),
    )  # fmt: skip
    head = HEADER.format(name=name, page="statusz")
    return head + "\n" + "".join(f"{name}{by} {value}\n" for name, value in lines)


def flags_text(name: str, flags: Mapping[str, str]) -> str:
    by = random.choice(SEPARATORS)
    head = HEADER.format(name=name, page="flagz")
    return head + "".join(f"{flag}{by}{value}\n" for flag, value in sorted(flags.items()))


def shown_flags(options: Any) -> dict[str, str]:
    """Every flag of an options dataclass with its value."""
    return {
        (field.metadata.get("flag") or field.name).lstrip("-").replace("_", "-"): shown(getattr(options, field.name))
        for field in dataclasses.fields(options)
    }


def runtime_version() -> str:
    """What stands where upstream has the version of Go."""
    return f"python{platform.python_version()}"


def _unix_date(moment: datetime) -> str:
    return f"{moment:%a %b} {moment.day:2} {moment:%H:%M:%S} {moment.tzname() or 'UTC'} {moment:%Y}"


def shown(value: object) -> str:
    """As Go prints the values of flags."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{','.join(map(str, value))}]"
    if not isinstance(value, float):
        return str(value)
    hours, rest = divmod(value, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{hours:g}h" if hours else "", f"{minutes:g}m" if hours or minutes else "", f"{seconds:g}s"]
    return "".join(parts)
