"""The headers of a request (RFC 9112, sections 5 and 6), and what they say of its body and of the connection.

Where two readers could understand a head differently (request smuggling), it is refused: a line that goes on in the
next one, a line feed by itself, a body that has both a length and chunks. Go's server takes these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pybernetes.apiserver.http.message import Headers
from pybernetes.apiserver.http.refusals import (
    BAD_HOST,
    BAD_NAME,
    BAD_REQUEST,
    NO_HOST,
    UNKNOWN_CODING,
    UNKNOWN_EXPECTATION,
    RefusedError,
)

CHUNKED: Final = -1
LARGEST_BODY: Final = 2**63 - 1
_NAMED: Final = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_VALUE: Final = rb":[\t\x20-\x7e\x80-\xff]*"
_FIELDS: Final = re.compile(rb"(?:%b%b(?:\r\n|\Z))*" % (_NAMED, _VALUE)).fullmatch
_FIELDS_WITH_BLANKS: Final = re.compile(rb"(?:[-!#$%%&'*+.^_`|~0-9A-Za-z][-!#$%%&'*+.^_`|~0-9A-Za-z ]*%b(?:\r\n|\Z))*" % _VALUE).fullmatch  # fmt: skip
_HOST: Final = re.compile(r"[-!$%&'()*+,.:;=\[\]_~0-9A-Za-z]*").fullmatch
_DIGITS: Final = re.compile(r"[0-9]{1,400}").fullmatch
_LONG_NAME: Final = 128
"""Of headers: these are not remembered."""


@dataclass(frozen=True, slots=True)
class Head:
    """`length` is that of the body, or CHUNKED."""

    headers: Headers
    length: int
    keep_alive: bool
    expects: bool
    """Whether the client waits for a word before it sends the body."""
    upgrade: bool
    is_old: bool
    """Whether the client speaks HTTP/1.0."""


def read_head(block: bytes, *, method: str, is_old: bool) -> Head:
    """Of the lines behind the first one. Raises RefusedError."""
    if not _FIELDS(block):
        raise RefusedError(_complaint(block))
    pairs = [_field(line) for line in block.split(b"\r\n")] if block else []
    headers = Headers(pairs)
    first = headers.first
    length = _length(pairs, is_old=is_old) if "content-length" in first or "transfer-encoding" in first else 0
    hosts = [value for name, value in pairs if name == "host"]
    if not hosts and not is_old and method != "CONNECT":
        raise RefusedError(NO_HOST)
    if len(hosts) > 1:
        raise RefusedError(BAD_REQUEST)
    if hosts and not _HOST(hosts[0]):
        raise RefusedError(BAD_HOST)
    options = _tokens(pairs, "connection") if "connection" in first else ()
    return Head(
        headers,
        length,
        "keep-alive" in options if is_old else "close" not in options,
        "expect" in first and not is_old and _expects(pairs),
        "upgrade" in first and "upgrade" in options,
        is_old,
    )


@lru_cache(maxsize=512)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _field(line: bytes) -> tuple[str, str]:
    name, _, value = line.partition(b":")
    lower = _lower(name) if len(name) < _LONG_NAME else name.decode("latin-1").lower()
    return lower, value.strip(b" \t").decode("latin-1")


def _complaint(block: bytes) -> bytes:
    """Why lines are no headers: blanks in names are told of, unless there is a host to be missed first."""
    if not _FIELDS_WITH_BLANKS(block):
        return BAD_REQUEST
    return BAD_NAME if re.search(rb"(?im)^host:", block) else NO_HOST


def _tokens(pairs: list[tuple[str, str]], wanted: str) -> tuple[str, ...]:
    """The members of a list, in lower case."""
    return tuple(token.strip().lower() for name, value in pairs if name == wanted for token in value.split(","))


def _length(pairs: list[tuple[str, str]], *, is_old: bool) -> int:
    """Of the body. Raises RefusedError."""
    codings = [value for name, value in pairs if name == "transfer-encoding"]
    lengths = {value for name, value in pairs if name == "content-length"}
    if codings:
        if not is_old and [coding.lower() for coding in codings] != ["chunked"]:
            raise RefusedError(UNKNOWN_CODING)
        if is_old or lengths:
            raise RefusedError(BAD_REQUEST)
        return CHUNKED
    (length, *others) = lengths
    if others or not _DIGITS(length) or int(length) > LARGEST_BODY:
        raise RefusedError(BAD_REQUEST)
    return int(length)


def _expects(pairs: list[tuple[str, str]]) -> bool:
    """Raises RefusedError for a client that waits for what nobody knows."""
    if "100-continue" in _tokens(pairs, "expect"):
        return True
    if any(value for name, value in pairs if name == "expect"):
        raise RefusedError(UNKNOWN_EXPECTATION)
    return False
