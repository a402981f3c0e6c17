"""cel-go's strings extension, version 2."""

from __future__ import annotations

import math
from typing import Any, Final

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, Sizes, function, method, tenth, twice, walks
from pybernetes.api.cel.library.conversions import text_of_double
from pybernetes.api.cel.types import DYN, INT, STRING, Type, list_of
from pybernetes.api.cel.values import Duration, Timestamp, Uint

_SPACE: Final = " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_QUOTED: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip
_LOWER: Final = {ord(each): ord(each) + 32 for each in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_UPPER: Final = {small: capital for capital, small in _LOWER.items()}


def _same_size(sizes: Sizes) -> int:
    return sizes[0]


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvaluationError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(text: str, part: str, offset: int = 0) -> int:
    if not 0 <= offset <= len(text):
        raise EvaluationError(f"index out of range: {offset}")
    return text.find(part, offset)


def _last_index_of(text: str, part: str, offset: int | None = None) -> int:
    if offset is None:
        return text.rfind(part)
    if not 0 <= offset <= len(text):
        raise EvaluationError(f"index out of range: {offset}")
    return text.rfind(part, 0, offset + len(part))


def _join(parts: list[object], separator: str = "") -> str:
    if not all(isinstance(part, str) for part in parts):
        raise EvaluationError("no such overload")
    return separator.join(map(str, parts))


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[object]:
    if limit == 0:
        return []
    if not separator:
        characters: list[object] = list(text)
        return characters if limit < 0 or len(text) <= limit else [*characters[: limit - 1], text[limit - 1 :]]
    return list(text.split(separator, limit - 1 if limit > 0 else -1))


def _substring(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    for index in (start, end):
        if not 0 <= index <= len(text):
            raise EvaluationError(f"index out of range: {index}")
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(character, character) for character in text) + '"'


def _format(pattern: str, values: list[object]) -> str:
    """`"%s is %.2f".format([...])`: clauses s, d, f, e, b, o, x, X and %%."""
    parts, at, used = [], 0, 0
    while at < len(pattern):
        if pattern[at] != "%":
            stop = pattern.find("%", at)
            stop = len(pattern) if stop < 0 else stop
            parts.append(pattern[at:stop])
            at = stop
            continue
        end = at + 1
        while end < len(pattern) and (pattern[end].isdigit() or pattern[end] == "."):
            end += 1
        if end >= len(pattern):
            raise EvaluationError("could not parse formatting clause: unexpected end of format string")
        if pattern[end] == "%":
            parts.append("%")
        else:
            if used >= len(values):
                raise EvaluationError(f"index {used} out of range")
            parts.append(_clause(pattern[end], pattern[at + 1 : end].lstrip("."), values[used]))
            used += 1
        at = end + 1
    return "".join(parts)


def _clause(verb: str, precision: str, value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and verb in "sdfe" and not math.isfinite(value):
        return _unfinite(value)
    if verb == "s":
        return shown(value)
    if verb == "d" and number:
        return str(int(value)) if isinstance(value, int) else shown(value)
    if verb in "fe" and number:
        return f"{float(value):.{precision or 6}{verb}}"
    if verb == "b" and isinstance(value, int):
        return f"{int(value):b}"
    if verb in "oxX" and number and isinstance(value, int):
        return f"{int(value):{verb}}"
    if verb in "xX" and isinstance(value, str | bytes):
        digits = (value.encode() if isinstance(value, str) else value).hex()
        return digits.upper() if verb == "X" else digits
    if verb not in "sdfeboxX":
        raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')
    raise EvaluationError(f"error during formatting: {verb!r} clause does not take this type")


def _unfinite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def shown(value: Any) -> str:
    """A value in a text."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return text_of_double(value) if math.isfinite(value) else _unfinite(value)
    if isinstance(value, Uint):
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(
                f"{shown(key)}: {shown(each)}" for key, each in sorted(value.items(), key=lambda entry: shown(entry[0]))
            )
            + "}"
        )
    if isinstance(value, str | int | Type | Duration | Timestamp):
        return str(value)
    raise EvaluationError("error during formatting: string clause can only be used on simple values")


def _replaced_size(sizes: Sizes) -> int:
    """At most: something between all characters."""
    return (sizes[0] + 1) * sizes[2] + sizes[0]


def _joined_size(sizes: Sizes) -> int:
    """Of a list of strings and, perhaps, what is put between them; their own size comes last."""
    between = sizes[1] if len(sizes) > 2 else 0
    return sizes[0] * sizes[-1] + max(sizes[0] - 1, 0) * between


def _join_cost(sizes: Sizes) -> int:
    return tenth(_joined_size(sizes))


FUNCTIONS: Final[Functions] = {
    "charAt": [method(STRING, INT, to=STRING, do=_char_at)],
    "indexOf": [
        method(STRING, STRING, to=INT, do=_index_of, cost=walks(0)),
        method(STRING, STRING, INT, to=INT, do=_index_of, cost=walks(0)),
    ],
    "lastIndexOf": [
        method(STRING, STRING, to=INT, do=_last_index_of, cost=walks(0)),
        method(STRING, STRING, INT, to=INT, do=_last_index_of, cost=walks(0)),
    ],
    "lowerAscii": [
        method(STRING, to=STRING, do=lambda text: text.translate(_LOWER), cost=walks(0), size=_same_size)
    ],
    "upperAscii": [
        method(STRING, to=STRING, do=lambda text: text.translate(_UPPER), cost=walks(0), size=_same_size)
    ],
    "trim": [method(STRING, to=STRING, do=lambda text: text.strip(_SPACE), cost=walks(0), size=_same_size)],
    "replace": [
        method(STRING, STRING, STRING, to=STRING, do=_replace, cost=twice, size=_replaced_size),
        method(STRING, STRING, STRING, INT, to=STRING, do=_replace, cost=twice, size=_replaced_size),
    ],
    "split": [
        method(STRING, STRING, to=list_of(STRING), do=_split, cost=twice, size=_same_size),
        method(STRING, STRING, INT, to=list_of(STRING), do=_split, cost=twice, size=_same_size),
    ],
    "substring": [
        method(STRING, INT, to=STRING, do=_substring, cost=walks(0), size=_same_size),
        method(STRING, INT, INT, to=STRING, do=_substring, cost=walks(0), size=_same_size),
    ],
    "join": [
        method(list_of(STRING), to=STRING, do=_join, cost=_join_cost, size=_joined_size, inside=True),
        method(list_of(STRING), STRING, to=STRING, do=_join, cost=_join_cost, size=_joined_size, inside=True),
    ],
    "format": [method(STRING, list_of(DYN), to=STRING, do=_format, cost=walks(0))],
    "strings.quote": [function(STRING, to=STRING, do=_quote, cost=walks(0))],
}  # fmt: skip
