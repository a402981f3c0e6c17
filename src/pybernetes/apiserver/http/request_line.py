"""The first line of a request (RFC 9112, section 3), read as Go's server reads it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from pybernetes.apiserver.http.refusals import BAD_REQUEST, UNKNOWN_VERSION, RefusedError

LONGEST_LINE: Final = 1024
"""Of those that are remembered: anybody may send some of a megabyte."""
_PLAIN: Final = re.compile(
    rb"(GET|POST|PATCH|PUT|DELETE) (/[\w.~/:@!$&'()*+,;=-]*)(?:\?([\w.~%/:@!$&'()*+,;=?-]*))? HTTP/1\.1", re.ASCII
).fullmatch
"""What needs no second look."""
_LINE: Final = re.compile(rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) HTTP/(\d)\.(\d)", re.ASCII).fullmatch
_SCHEME: Final = re.compile(r"[A-Za-z][-+.A-Za-z0-9]*:").match
_AUTHORITY: Final = re.compile(r"//(?:[^/@\[\]]*@)?(?:\[[^/\[\]]*\]|[^/:@\[\]]*)(?::\d*)?(?=/|$)").match
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})").search
"""In a path; a query may hold what it likes."""


class RequestLine(NamedTuple):
    """`path` is percent-decoded; of a target that names a host, what follows that."""

    method: str
    path: str
    raw_path: str
    query: str
    is_old: bool = False
    """Whether the client speaks HTTP/1.0."""


def read_line(line: bytes) -> RequestLine:
    """Raises RefusedError."""
    return _remembered(line) if len(line) <= LONGEST_LINE else _read(line)


def _read(line: bytes) -> RequestLine:
    if match := _PLAIN(line):
        method, raw, query = match.groups(b"")
        path = raw.decode("ascii")
        return RequestLine(method.decode("ascii"), path, path, query.decode("ascii"))
    found = _LINE(line)
    if found is None:
        raise RefusedError(BAD_REQUEST)
    method, target, major, minor = found.groups()
    raw_path, _, text = target.decode("utf-8", "replace").partition("?")
    raw_path = _path_of(raw_path, method)
    if _BAD_ESCAPE(raw_path):
        raise RefusedError(BAD_REQUEST)
    if major != b"1":
        raise RefusedError(UNKNOWN_VERSION)
    return RequestLine(method.decode("ascii"), unquote(raw_path), raw_path, text, is_old=minor == b"0")


_remembered: Final = lru_cache(maxsize=2048)(_read)
"""Of clients that ask for the same again and again."""


def _path_of(target: str, method: bytes) -> str:
    """The path of a target in any of its forms (section 3.2). Raises RefusedError."""
    if target.startswith("/") or target == "*":
        return target
    if method == b"CONNECT" and _AUTHORITY(f"//{target}"):
        return ""
    scheme = _SCHEME(target)
    if scheme is None:
        raise RefusedError(BAD_REQUEST)
    rest = target[scheme.end() :]
    if rest.startswith("//"):
        authority = _AUTHORITY(rest)
        if authority is None:
            raise RefusedError(BAD_REQUEST)
        return rest[authority.end() :]
    return rest if rest.startswith("/") else ""
