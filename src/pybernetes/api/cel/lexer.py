"""Tokens of an expression (CEL specification, "Syntax")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from pybernetes.api.cel.errors import Issue

_ESCAPED: Final = r"""\\(?:[abfnrtv\\'"`?]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"""
_DOUBLE: Final = rf'"(?:{_ESCAPED}|[^"\\\n\r])*'
_SINGLE: Final = rf"'(?:{_ESCAPED}|[^'\\\n\r])*"
_TEXT: Final = rf"""\"{{3}}(?:{_ESCAPED}|[^\\])*?\"{{3}}|'{{3}}(?:{_ESCAPED}|[^\\])*?'{{3}}|{_DOUBLE}"|{_SINGLE}'"""
_RAW: Final = r"""\"{3}.*?\"{3}|'{3}.*?'{3}|\"[^\"\n\r]*\"|'[^'\n\r]*'"""
_PATTERN: Final = re.compile(
    rf"""
    (?P<space>[ \t\n\f\r]+|//[^\n]*)
  | (?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<uint>0x[0-9a-fA-F]+[uU]|\d+[uU])
  | (?P<int>0x[0-9a-fA-F]+|\d+)
  | (?P<bytes>[bB](?:[rR](?:{_RAW})|{_TEXT}))
  | (?P<raw>[rR](?:{_RAW}))
  | (?P<string>{_TEXT})
  | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<quoted>`[-_./a-zA-Z0-9 ]+`)
  | (?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{{}}])
    """,
    re.VERBOSE | re.DOTALL,
)

_BROKEN: Final = r"\\(?:[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|[0-3][0-7]?)?"
_UNKNOWN: Final = re.compile(rf"(?:{_DOUBLE}|{_SINGLE})(?:{_BROKEN})?.?|.", re.DOTALL)
"""What is read until it turns out to be nothing: up to the first character that cannot go on."""

_SIMPLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)


class Token(Struct, frozen=True):
    """`kind` is `end`, `name`, `quoted`, a kind of literal, or the sign itself."""

    kind: str
    text: str
    offset: int


def tokens(source: str, issues: list[Issue]) -> Iterator[Token]:
    """All tokens, then the end; characters that begin none are noted and passed over."""
    position = 0
    while position < len(source):
        found = _PATTERN.match(source, position)
        if found is None:
            unknown = _UNKNOWN.match(source, position)
            text = unknown.group() if unknown else source[position]
            issues.append(Issue(position, f"Syntax error: token recognition error at: '{text}'"))
            position += len(text)
            continue
        kind = found.lastgroup or ""
        if kind != "space":
            yield Token(found.group() if kind == "sign" else kind, found.group(), position)
        position = found.end()
    yield Token("end", "<EOF>", len(source))


def string_value(text: str, kind: str) -> str:
    """The value of a string literal. Raises ValueError for an escape that there is not."""
    if kind == "raw":
        return _inside(text[1:])
    return _ESCAPE.sub(_unescaped, _inside(text))


def bytes_value(text: str) -> bytes:
    """The value of a bytes literal: escapes of two digits and octal ones are bytes, not characters."""
    text = text[1:]
    if text[0] in "rR":
        return _inside(text[1:]).encode()
    parts, position, body = [], 0, _inside(text)
    for found in _ESCAPE.finditer(body):
        parts.append(body[position : found.start()].encode())
        if found.group(3) or found.group(4):
            raise ValueError("unable to unescape string")
        number = found.group(1) or found.group(2)
        if number or found.group(5):
            parts.append(bytes([int(number, 16) if number else int(found.group(5), 8)]))
        else:
            parts.append(_unescaped(found).encode())
        position = found.end()
    return b"".join([*parts, body[position:].encode()])


def _inside(text: str) -> str:
    width = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
    return text[width:-width].replace("\r\n", "\n")


def _unescaped(found: re.Match[str]) -> str:
    for group, base in ((1, 16), (2, 16), (3, 16), (4, 16), (5, 8)):
        if (digits := found.group(group)) is not None:
            code = int(digits, base)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise ValueError(f"unable to unescape string: {found.group()}")
            return chr(code)
    simple = _SIMPLE.get(found.group(6))
    if simple is None:
        raise ValueError(f"unable to unescape string: {found.group()}")
    return simple
