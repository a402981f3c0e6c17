"""Heads of requests and answers as bytes: what is passed on, what is ours to say. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeAlias

from msgspec import Struct

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
"""What concerns one connection and not the next (RFC 9110, section 7.6.1)."""

OURS = frozenset({b"forwarded", b"host", b"x-real-ip", b"x-scheme"})
FORWARDED = b"x-forwarded-"
"""What clients say about themselves is not believed: this is the first proxy that anybody can vouch for."""

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WORD = re.compile(rb"[^\x00-\x20\x7f]+")

CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CLOSE = b"Connection: close\r\n"
EMPTY = b"Content-Length: 0\r\n"
BODILESS = frozenset({204, 304})
"""Statuses whose answers have no body, and need not say so."""


class Client(Struct, frozen=True):
    """Who sent a request, and how."""

    address: str
    port: int
    secure: bool

    def forwarded(self, host: bytes) -> bytes:
        """What the backend is told of it, and of the host that it asked for."""
        scheme, address = ("https" if self.secure else "http"), self.address
        said = (
            f"X-Forwarded-For: {address}\r\nX-Real-IP: {address}\r\nX-Forwarded-Proto: {scheme}\r\n"
            f"X-Scheme: {scheme}\r\nX-Forwarded-Port: {self.port}\r\n"
        )
        return b"Host: %b\r\n%bX-Forwarded-Host: %b\r\n" % (host, said.encode("latin-1"), host)


def request_head(method: bytes, target: bytes, headers: Headers, own: bytes) -> bytes:
    """`own` are whole lines: what we say of the client, and how the body is framed."""
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    lines += [b"%b: %b\r\n" % each for each in passed_on(headers, from_client=True)]
    return b"".join((*lines, own, b"\r\n"))


def answer_head(status: int, reason: bytes, headers: Headers, own: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
    lines += [b"%b: %b\r\n" % each for each in passed_on(headers)]
    return b"".join((*lines, own, b"\r\n"))


def passed_on(headers: Headers, *, from_client: bool = False) -> list[tuple[bytes, bytes]]:
    """What concerns the other end; of what comes from a client, without what is ours to say."""
    named = {token for name, value in headers if name.lower() == b"connection" for token in tokens(value)}
    dropped = HOP_BY_HOP | named
    kept = [each for each in headers if each[0].lower() not in dropped]
    return [each for each in kept if not _is_ours(each[0])] if from_client else kept


def _is_ours(name: bytes) -> bool:
    """Backends that have headers in their environment, as CGI has, do not tell `_` from `-`."""
    known = name.lower().replace(b"_", b"-")
    return known in OURS or known.startswith(FORWARDED)


def tokens(value: bytes) -> list[bytes]:
    """The parts of a list in a header, in lower case."""
    return [part.strip() for part in value.lower().split(b",")]


def header(headers: Headers, name: bytes) -> bytes:
    """The first value; empty if there is none."""
    return next((value for known, value in headers if known.lower() == name), b"")


def origin_form(host: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Host and target of a request; a target that is a whole URL counts for more than the header (RFC 9112, 3.2.2)."""
    if target[:1] == b"/":
        return host, target
    scheme, mark, rest = target.partition(b"://")
    if not mark or scheme.lower() not in (b"http", b"https"):
        return host, target
    authority, slash, path = rest.partition(b"/")
    return authority, slash + path or b"/"


def is_request_line(method: bytes, target: bytes, host: bytes) -> bool:
    """Whether these can stand in a head of HTTP/1.1 without becoming something else there."""
    return bool(_METHOD.fullmatch(method) and _WORD.fullmatch(target) and _WORD.fullmatch(host or b"-"))


def own_body(status: int, message: str) -> bytes:
    return f"{status} {HTTPStatus(status).phrase}: {message}\n".encode()


def own_answer(status: int, message: str, *, location: str = "", close: bool = False, with_body: bool = True) -> bytes:
    """An answer that no backend gave: it says why in plain text."""
    phrase, body = HTTPStatus(status).phrase, own_body(status, message)
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    if location:
        head += f"Location: {location}\r\n"
    if close:
        head += "Connection: close\r\n"
    return head.encode("latin-1", "replace") + b"\r\n" + (body if with_body else b"")
