"""What is said to requests that no handler sees, in the words of Go's server."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

METHODS: Final = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
"""Those that the parser reads as any request; of the others it knows some, and takes a few for something else."""
BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})").search
"""In a path; a query may hold what it likes."""
_TOKEN: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+").fullmatch
_OTHER_CODING: Final = re.compile(rb"\r\ntransfer-encoding:(?![ \t]*chunked[ \t]*\r\n)", re.IGNORECASE).search
_HOST: Final = re.compile(r"[-!$%&'()*+,.:;=\[\]_~0-9A-Za-z]*").fullmatch


def is_other_method(method: bytes) -> bool:
    """Any token is a method (RFC 9110, section 9.1)."""
    return method not in METHODS and _TOKEN(method) is not None


def refusal(code: int, why: str = "", *, body: str = "") -> bytes:
    """An answer behind which the connection is closed."""
    line = f"{code} {HTTPStatus(code).phrase}" + (f": {why}" if why else "")
    head = f"HTTP/1.1 {line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    return (head + (body or line)).encode()


BAD_REQUEST: Final = refusal(400)
UNKNOWN_CODING: Final = refusal(501, body="Unsupported transfer encoding")
UNKNOWN_EXPECTATION: Final = b"HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def of_garbage(data: bytes) -> bytes:
    """What is said to bytes that the parser cannot read."""
    return UNKNOWN_CODING if _OTHER_CODING(data.partition(b"\r\n\r\n")[0] + b"\r\n") else BAD_REQUEST


def _has_other_coding(headers: list[tuple[str, str]]) -> bool:
    """Whether the body is promised in another form than in chunks."""
    codings = [value.lower() for name, value in headers if name == "transfer-encoding"]
    return codings not in ([], ["chunked"])


def complaint(headers: list[tuple[str, str]], version: str) -> bytes:
    """Why a head that could be parsed is refused; b"" if it is not."""
    hosts = [value for name, value in headers if name == "host"]
    if len(hosts) > 1 or version == "0.9":  # of which a line without a version is
        return BAD_REQUEST
    if _has_other_coding(headers):
        return UNKNOWN_CODING
    if version not in ("1.0", "1.1"):
        return refusal(505, "unsupported protocol version")
    if not hosts and version == "1.1":
        return refusal(400, "missing required Host header")
    if hosts and not _HOST(hosts[0]):
        return refusal(400, "malformed Host header")
    return b""


def expectation(headers: dict[str, str]) -> bool | None:
    """Whether the client waits for a word before it sends the body; None if it waits for what nobody knows."""
    expected = headers.get("expect", "")
    if any(token.strip().lower() == "100-continue" for token in expected.split(",")):
        return True
    return None if expected else False
