"""What numbers on the command line may be; argparse makes what is refused here wrong usage (exit code 2)."""

from __future__ import annotations

from argparse import ArgumentTypeError

LONGEST = 3600.0 * 24 * 365


def seconds(text: str) -> float:
    """From 0 to a year: a wait that is endless, negative or no number is none that anybody means."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= LONGEST:
        raise ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def count(text: str) -> int:
    """How many of something there are to be: at least one."""
    if not (value := whole(text)):
        raise ArgumentTypeError("it has to be at least 1")
    return value


def whole(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isascii() or not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text[:18])
