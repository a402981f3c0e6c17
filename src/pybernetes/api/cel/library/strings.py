"""cel-go's strings extension, version 2."""

from __future__ import annotations

from typing import Final

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.functions import Functions, Sizes, function, method, tenth, twice, walks
from pybernetes.api.cel.library.formatting import formatted
from pybernetes.api.cel.types import DYN, INT, STRING, list_of

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
    if offset < 0:
        raise EvaluationError(f"index out of range: {offset}")
    return text.find(part, offset)


def _last_index_of(text: str, part: str, offset: int | None = None) -> int:
    if offset is None:
        return text.rfind(part)
    if offset < 0:
        raise EvaluationError(f"index out of range: {offset}")
    return text.rfind(part, 0, offset + len(part)) if offset < len(text) else -1


def _join(parts: list[str], separator: str = "") -> str:
    return separator.join(parts)


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
    "format": [method(STRING, list_of(DYN), to=STRING, do=formatted, cost=walks(0))],
    "strings.quote": [function(STRING, to=STRING, do=_quote, cost=walks(0))],
}  # fmt: skip
