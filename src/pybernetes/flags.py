"""Command lines of the components: one flag per field of a frozen dataclass, under upstream's names."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Pairs = tuple[tuple[str, str], ...]

UNITS = {"ms": 0.001, "h": 3600.0, "m": 60.0, "s": 1.0}


def option(
    default: Any,
    help: str = "",
    *,
    flag: str = "",
    duration: bool = True,
    choices: Sequence[str] = (),
    required: bool = False,
    read: Callable[[str], Sequence[Any]] | None = None,
) -> Any:
    """A field with more to say than its default: a help text, a flag that is not its name, what it may be.

    Floats are Go durations, in seconds, unless `duration` is false. `read` makes the items of a tuple of a text.
    """
    said = {"help": help, "flag": flag, "duration": duration, "choices": choices, "required": required, "read": read}
    return dataclasses.field(default=default, metadata=said)


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


TRUTH = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


def boolean(text: str) -> bool:
    """What Go's flags take for one; raises ValueError."""
    if text.lower() not in TRUTH:
        raise ValueError(f"invalid boolean {text!r}")
    return TRUTH[text.lower()]


def words(text: str) -> list[str]:
    """`a,b` as a list; empty parts do not count."""
    return [part for part in text.split(",") if part]


def key_values(text: str) -> Pairs:
    """`a=b,c=d` as pairs."""
    pairs = [part.partition("=") for part in words(text)]
    return tuple((key, value) for key, _, value in pairs)


def parser(kind: type[Any], prog: str, description: str = "", base: Any = None, **more: str) -> argparse.ArgumentParser:
    """Booleans may stand alone; lists are separated by commas and may be repeated; `v` is also `-v`.

    What is not given is as in `base`, or the field's default. `more` are help texts of flags without a field.
    """
    made = argparse.ArgumentParser(prog=prog, description=description, allow_abbrev=False)
    for name, text in more.items():
        made.add_argument("--" + name.replace("_", "-"), help=text)
    for field in dataclasses.fields(kind):
        flag = field.metadata.get("flag") or "--" + field.name.replace("_", "-")
        names = ["-v", flag] if flag == "--v" else [flag]
        given: dict[str, Any] = {"help": _help(field), "required": field.metadata.get("required", False)}
        default = field.default if base is None else getattr(base, field.name)
        made.add_argument(*names, dest=field.name, **given, **_reading(field, default))
    return made


def _help(field: dataclasses.Field[Any]) -> str:
    """Its text, and the default where there is one."""
    text, default = str(field.metadata.get("help", "")), field.default
    if default in ("", (), None) or (isinstance(default, tuple) and field.metadata.get("read")):
        return text.replace("%", "%%")
    shown = ",".join(default) if isinstance(default, tuple) else default
    return f"{text} (default: {shown})".strip().replace("%", "%%")


def _reading(field: dataclasses.Field[Any], default: Any) -> dict[str, Any]:
    """How argparse reads a flag whose default is of this type."""
    if isinstance(default, bool):
        return {"type": boolean, "nargs": "?", "const": True, "default": default, "metavar": "BOOL"}
    if isinstance(default, tuple):
        return {"type": field.metadata.get("read") or words, "action": "append", "metavar": "LIST"}
    if isinstance(default, float) and field.metadata.get("duration", True):
        return {"type": duration, "default": default, "metavar": "DURATION"}
    choices = field.metadata.get("choices") or None
    metavar = None if choices else {int: "N", float: "NUMBER"}.get(type(default), "TEXT")
    return {"type": type(default), "default": default, "choices": choices, "metavar": metavar}


def parse(kind: type[T], prog: str, arguments: Sequence[str], description: str = "") -> T:
    """The options of a command line; exits with a usage message for an unknown flag or a malformed value."""
    return from_namespace(kind, vars(parser(kind, prog, description).parse_args(arguments)))


def from_namespace(kind: type[T], values: Mapping[str, Any], base: T | None = None) -> T:
    """Options of what argparse has read: repeated lists are joined."""
    read: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = values[field.name]
        if isinstance(field.default, tuple):
            usual = field.default if base is None else getattr(base, field.name)
            value = usual if value is None else tuple(part for parts in value for part in parts)
        read[field.name] = value
    return kind(**read)
