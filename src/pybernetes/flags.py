"""Command lines of the components: one flag per field of a frozen dataclass, under upstream's names."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

UNITS = {"ms": 0.001, "h": 3600.0, "m": 60.0, "s": 1.0}


def option(default: Any, help: str = "", *, flag: str = "", duration: bool = False) -> Any:
    """A field with more to say than its default: a help text, a flag that is not its name, a Go duration."""
    return dataclasses.field(default=default, metadata={"help": help, "flag": flag, "duration": duration})


def duration(text: str) -> float:
    """Seconds of a Go duration: "1h30m" -> 5400.0; raises ValueError."""
    rest, total = text, 0.0
    if not text:
        raise ValueError("empty duration")
    while rest:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        unit = next((name for name in UNITS if rest[len(digits) :].startswith(name)), None)
        if unit is None and total == 0.0 and rest == "0":
            return 0.0
        if not digits or unit is None:
            raise ValueError(f"invalid duration {text!r}")
        total += float(digits) * UNITS[unit]
        rest = rest[len(digits) + len(unit) :]
    return total


def boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"invalid boolean {text!r}")
    return text.lower() == "true"


def key_values(text: str) -> tuple[tuple[str, str], ...]:
    """`a=b,c=d` as pairs."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    return tuple((key, value) for key, _, value in pairs)


def parser(kind: type[Any], prog: str, description: str = "") -> argparse.ArgumentParser:
    """Booleans may stand alone; lists are separated by commas and may be repeated."""
    made = argparse.ArgumentParser(prog=prog, description=description, allow_abbrev=False)
    for field in dataclasses.fields(kind):
        flag = field.metadata.get("flag") or "--" + field.name.replace("_", "-")
        help = field.metadata.get("help") or None
        default = field.default
        if isinstance(default, bool):
            made.add_argument(flag, dest=field.name, type=boolean, nargs="?", const=True, default=default, help=help)
        elif isinstance(default, tuple):
            made.add_argument(flag, dest=field.name, action="append", default=None, help=help)
        elif field.metadata.get("duration"):
            made.add_argument(flag, dest=field.name, type=duration, default=default, help=help)
        else:
            made.add_argument(flag, dest=field.name, type=type(default), default=default, help=help)
    return made


def parse(kind: type[T], prog: str, arguments: Sequence[str], description: str = "") -> T:
    """The options of a command line; exits with a usage message for an unknown flag or a malformed value."""
    return from_namespace(kind, vars(parser(kind, prog, description).parse_args(arguments)))


def from_namespace(kind: type[T], values: Mapping[str, Any]) -> T:
    """Options of what argparse has read: repeated lists are joined."""
    read: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = values[field.name]
        if isinstance(field.default, tuple):
            value = field.default if value is None else tuple(p for text in value for p in text.split(",") if p)
        read[field.name] = value
    return kind(**read)
