"""JSON bodies, with the words of Go's parser for those that are none."""

from __future__ import annotations

import json
import math
import re

from pybernetes.api.json_text import read_json, refuse_depth, well_formed

TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
"""What Go reads first of an object."""
_END = "' '"
_ENDED = "unexpected end of JSON input"
_NUMBER = re.compile(r"[-+.0-9eE]+$")
_SYNTAX = "invalid character {} looking for beginning of {}"


class JSONError(ValueError):
    """No JSON; the message is Go's."""


def parse_json(data: bytes) -> object:
    """The value. Raises JSONError."""
    try:
        return read_json(data)
    except ValueError:
        return _again(data)


def _again(data: bytes) -> object:
    """Find Go's words for it. What the second parser takes and the first does not is taken (long numbers)."""
    raw = data.decode("latin-1")  # syntax is ASCII, and Go's parser looks at bytes
    try:
        json.loads(raw, parse_constant=_refuse_constant, parse_float=_finite)
        value: object = json.loads(well_formed(data), parse_float=_finite)
        refuse_depth(value)
    except RecursionError:
        raise JSONError("exceeded max depth") from None
    except json.JSONDecodeError as again:
        raise JSONError(_go_words(again, raw)) from None
    except ValueError as again:
        raise JSONError(str(again)) from None
    return value


def _refuse_constant(name: str) -> object:
    if name[0] == "-":
        raise JSONError(f"invalid character '{name[1]}' in numeric literal")
    raise JSONError(f"invalid character '{name[0]}' looking for beginning of value")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JSONError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def _go_words(error: json.JSONDecodeError, text: str) -> str:
    rest = text[error.pos :].lstrip(" \t\r\n")
    if "Unterminated string" in error.msg:
        backslashes = len(text) - len(text.rstrip("\\"))
        return f"invalid character {_END} in string escape code" if backslashes % 2 else _ENDED
    if not rest:
        return _ENDED
    if words := _number_words(text[: error.pos], rest):
        return words
    char = _quoted(rest[0])
    match error.msg:
        case "Expecting property name enclosed in double quotes":
            return _SYNTAX.format(char, "object key string")
        case "Expecting ':' delimiter":
            return f"invalid character {char} after object key"
        case "Expecting ',' delimiter":
            inside = "array element" if _in_array(text[: error.pos]) else "object key:value pair"
            return f"invalid character {char} after {inside}"
        case "Extra data":
            return f"invalid character {char} after top-level value"
        case "Invalid control character at":
            return f"invalid character {_quoted(text[error.pos])} in string literal"
        case "Invalid \\escape":
            return f"invalid character {_quoted(text[error.pos + 1 : error.pos + 2])} in string escape code"
        case "Invalid \\uXXXX escape":
            digits = text[text.rfind("\\u", 0, error.pos + 1) + 2 :]
            wrong = next((one for one in digits[:4] if one not in "0123456789abcdefABCDEF"), "")
            return f"invalid character {_quoted(wrong)} in \\u hexadecimal character escape"
        case _:
            return _literal_words(rest) or _SYNTAX.format(char, "value")


def _number_words(before: str, rest: str) -> str:
    """Of a number whose fraction or exponent has no digits, which the parser takes to end before it; "" for others."""
    number = _NUMBER.search(before)
    if not before[-1:].isdigit() or rest[0] not in ".eE" or number is None:
        return ""
    if "e" in number[0].lower() or (rest[0] == "." and "." in number[0]):
        return ""  # the number has had its fraction or exponent
    behind = rest[1:] if rest[0] == "." else rest[1:].removeprefix("+").removeprefix("-")
    where = "after decimal point in" if rest[0] == "." else "in exponent of"
    return f"invalid character {_quoted(behind[:1])} {where} numeric literal"


def _literal_words(rest: str) -> str:
    """Of a value that begins as a number or a word and goes on as neither; "" for others."""
    if rest.startswith("-"):
        return f"invalid character {_quoted(rest[1:2])} in numeric literal"
    word = next((word for word in ("true", "false", "null") if word[0] == rest[0]), "")
    for place, char in enumerate(word):
        if rest[place : place + 1] != char:
            there = _quoted(rest[place : place + 1])
            return f"invalid character {there} in literal {word} (expecting {_quoted(char)})"
    return ""


def _quoted(char: str) -> str:
    """A byte as Go shows it, as if it were a character; its end, which Go's parser reads as a space, where there is none."""
    if not char:
        return _END
    if char == "'":
        return "'\\''"
    if char.isascii():
        return repr(char)
    return f"'{char}'" if char.isprintable() else f"'\\u{ord(char):04x}'"


def _in_array(text: str) -> bool:
    """Whether what is open at the end of the text is an array; brackets inside strings do not count."""
    in_string = escaped = False
    opened: list[str] = []
    for char in text:
        if in_string:
            escaped, in_string = (not escaped and char == "\\"), not (char == '"' and not escaped)
        elif char == '"':
            in_string = True
        elif char in "[{":
            opened.append(char)
        elif char in "]}" and opened:
            opened.pop()
    return bool(opened) and opened[-1] == "["
