"""`format` of cel-go's strings extension: `"%s is %.2f".format([...])`, with clauses s, d, f, e, b, o, x, X and %%."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import kind_of
from pybernetes.api.cel.library.conversions import text_of_bytes, text_of_double
from pybernetes.api.cel.types import NULL

_UNPARSED: Final = "could not parse formatting clause: "
_HEX: Final = "only integers, byte buffers, and strings can be formatted as hex"
_SIMPLE: Final = frozenset(
    {
        "string", "bool", "bytes", "int", "uint", "double", "map", "list", "type", "null_type",
        "google.protobuf.Duration", "google.protobuf.Timestamp",
    }
)  # fmt: skip
_SUPERSCRIPTS: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "+")
_PLACES: Final = 6
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Clause(Struct, frozen=True):
    """A place for a value; `precision` is how many digits it has behind the point."""

    verb: str
    precision: int


class _Verb(Struct, frozen=True):
    """Names of the types that a clause takes, and what is said of others."""

    kinds: frozenset[str]
    otherwise: str
    shown: Callable[[Any, int], str]


def clauses(pattern: str) -> Iterator[str | Clause]:
    """The parts of a pattern. Raises EvaluationError where it makes no sense."""
    at = 0
    while at < len(pattern):
        if pattern[at] != "%":
            stop = pattern.find("%", at)
            stop = len(pattern) if stop < 0 else stop
            yield pattern[at:stop]
            at = stop
            continue
        precision, end = _precision(pattern, at + 1)
        if end >= len(pattern):
            raise EvaluationError("unexpected end of string")
        if pattern[end] == "%":
            yield "%"
        elif pattern[end] in _VERBS:
            yield Clause(pattern[end], precision)
        else:
            raise EvaluationError(f'{_UNPARSED}unrecognized formatting clause "{pattern[end]}"')
        at = end + 1


def _precision(pattern: str, at: int) -> tuple[int, int]:
    """The number behind a point, and where the verb is."""
    if pattern[at : at + 1] != ".":
        return _PLACES, at
    end = at + 1
    while pattern[end : end + 1].isdigit():
        end += 1
    failed = f"{_UNPARSED}error while parsing precision: "
    if end >= len(pattern):
        raise EvaluationError(f"{failed}could not find end of precision specifier")
    digits = pattern[at + 1 : end]
    if not digits:
        number = 'error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax'
        raise EvaluationError(f"{failed}{number}")
    return int(digits), end


def require_kind(clause: Clause, kind: str) -> None:
    """Raises EvaluationError if a clause does not take values of the type of that name."""
    verb = _VERBS[clause.verb]
    if kind not in verb.kinds:
        raise EvaluationError(f"error during formatting: {verb.otherwise}, was given {kind}")


def formatted(pattern: str, values: Sequence[object]) -> str:
    """Raises EvaluationError for a pattern that makes no sense, or does not fit the values."""
    parts, used = [], 0
    for part in clauses(pattern):
        if isinstance(part, str):
            parts.append(part)
            continue
        if used >= len(values):
            raise EvaluationError(f"index {used} out of range")
        value = values[used]
        require_kind(part, kind_of(value))
        parts.append(_VERBS[part.verb].shown(value, part.precision))
        used += 1
    return "".join(parts)


def _shown(value: Any, _: int) -> str:
    if isinstance(value, float):
        return text_of_double(value)
    return value if isinstance(value, str) else _inside(value)


def _inside(value: Any) -> str:
    """A value in a list or a map."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return f'"{text_of_double(value)}"' if not math.isfinite(value) else f"{value:.{_PLACES}f}"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return text_of_bytes(value)
    require_kind(Clause("s", 0), kind_of(value))
    if isinstance(value, list):
        return f"[{', '.join(map(_inside, value))}]"
    if isinstance(value, dict):
        entries = sorted((_key(key), _inside(each)) for key, each in value.items())
        return f"{{{', '.join(f'{key}:{each}' for key, each in entries)}}}"
    return "null_type" if value == NULL else str(value)


def _key(value: object) -> str:
    if not isinstance(value, str | int):
        raise EvaluationError(f"no formatting function for map key of type {kind_of(value)}")
    return _inside(value)


def _unfinite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "∞" if value > 0 else "-∞"


def _number(value: float | str) -> float:
    """Doubles may be given by name."""
    if not isinstance(value, str):
        return value
    if value not in _WORDS:
        raise EvaluationError(
            'error during formatting: only "NaN", "Infinity", and "-Infinity" are formatted as doubles'
        )
    return _WORDS[value]


def _fixed(value: float | str, precision: int) -> str:
    number = _number(value)
    return f"{number:.{precision}f}" if math.isfinite(number) else _unfinite(number)


def _scientific(value: float | str, precision: int) -> str:
    """As upstream: whatever the precision, there are six digits."""
    number = _number(value)
    if not math.isfinite(number):
        return _unfinite(number)
    mantissa, exponent = f"{number:.{_PLACES}e}".split("e")
    return f"{mantissa}×10{exponent.translate(_SUPERSCRIPTS)}"


def _hex(value: int | str | bytes, _: int) -> str:
    if isinstance(value, int):
        return f"{int(value):x}"
    return (value.encode() if isinstance(value, str) else value).hex()


_INTEGERS: Final = frozenset({"int", "uint"})
_DOUBLES: Final = frozenset({"double", "string"})
_DIGITS: Final = _INTEGERS | {"string", "bytes"}
_VERBS: Final = {
    "s": _Verb(
        _SIMPLE,
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and "
        "timestamps",
        _shown,
    ),
    "d": _Verb(_INTEGERS, "decimal clause can only be used on integers", lambda value, _: str(int(value))),
    "f": _Verb(_DOUBLES, "fixed-point clause can only be used on doubles", _fixed),
    "e": _Verb(_DOUBLES, "scientific clause can only be used on doubles", _scientific),
    "b": _Verb(
        _INTEGERS | {"bool"}, "only integers and bools can be formatted as binary", lambda value, _: f"{int(value):b}"
    ),
    "o": _Verb(_INTEGERS, "octal clause can only be used on integers", lambda value, _: f"{int(value):o}"),
    "x": _Verb(_DIGITS, _HEX, _hex),
    "X": _Verb(_DIGITS, _HEX, lambda value, precision: _hex(value, precision).upper()),
}
