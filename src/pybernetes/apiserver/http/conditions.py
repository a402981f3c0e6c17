"""Documents for whoever has some of them already: conditional requests and ranges (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

from pybernetes.apiserver.http.message import Request, Response

READS: Final = frozenset(("GET", "HEAD"))
MOST_RANGES: Final = 100
"""Who wants more gets all (section 14.2)."""
TEXT: Final = "text/plain; charset=utf-8"
_TAG: Final = re.compile(r'(?:W/)?"[^\x00-\x20"\x7f]*"').match
_POSITION: Final = re.compile(r"[0-9]{1,18}").fullmatch

Range = tuple[int, int]
"""First byte, and the one behind the last."""


class RangeError(ValueError):
    """What a Range header says is no range, or `beyond` the end."""

    def __init__(self, words: str, *, beyond: bool = False) -> None:
        super().__init__(words)
        self.beyond = beyond


def conditional(request: Request, whole: Response, modified: datetime, etag: str = "") -> Response:
    """What of a document (`whole`, in one piece) the client asks for, as Go's server answers: 200, 206, 304, 412 or 416.

    `etag` is a strong one, or "" for a document that has none.
    """
    modified = modified.astimezone(UTC).replace(microsecond=0)
    told = [("last-modified", format_datetime(modified, usegmt=True))]
    tag = [("etag", etag)] if etag else []
    code = _precondition(request, modified, etag)
    if code == 304:
        return Response(304, b"", "", [*whole.headers, *(tag or told)])
    if code == 412:
        return Response(412, b"", whole.content_type, [*whole.headers, *tag, *told])
    assert isinstance(whole.body, bytes)
    size = len(whole.body)
    try:
        ranges = _ranges(request.headers.get("range", ""), size) if _if_range(request, modified, etag) else []
    except RangeError as error:
        reason = [("content-range", f"bytes */{size}")] if error.beyond else []
        headers = [*whole.headers, *reason, ("x-content-type-options", "nosniff")]
        return Response(416, f"{error}\n".encode(), TEXT, headers)
    headers = [*whole.headers, *tag, *told, ("accept-ranges", "bytes")]
    if not ranges or sum(end - start for start, end in ranges) > size:
        return Response(200, whole.body, whole.content_type, headers)
    return _partial(whole.body, whole.content_type, ranges, headers)


def _precondition(request: Request, modified: datetime, etag: str) -> int:
    """304 or 412, or 200 if there is nothing against an answer."""
    headers = request.headers
    if matches := headers.get("if-match", ""):
        if not _names(matches, etag, weakly=False):
            return 412
    elif (since := _date(headers.get("if-unmodified-since", ""))) and modified > since:
        return 412
    if matches := headers.get("if-none-match", ""):
        if _names(matches, etag, weakly=True):
            return 304 if request.method in READS else 412
    elif request.method in READS and (since := _date(headers.get("if-modified-since", ""))) and modified <= since:
        return 304
    return 200


def _names(tags: str, etag: str, *, weakly: bool) -> bool:
    """Whether a list of tags names the document: by its own, or by `*` for whatever there is."""
    while tags := tags.strip(" \t,"):
        if tags.startswith("*"):
            return True
        match = _TAG(tags)
        if match is None:
            return False
        tag, tags = match[0], tags[match.end() :]
        if (tag.removeprefix("W/") if weakly else tag) == etag:
            return True
    return False


def _date(text: str) -> datetime | None:
    """Of HTTP; None for what is none, which counts as not said."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text.endswith("GMT") else None
    except (ValueError, OverflowError):
        return None


def _if_range(request: Request, modified: datetime, etag: str) -> bool:
    """Whether a range is still one of this document."""
    wanted = request.headers.get("if-range", "")
    if not wanted or request.method not in READS:
        return True
    if _TAG(wanted):
        return bool(etag) and wanted == etag
    return _date(wanted) == modified


def _ranges(text: str, size: int) -> list[Range]:
    """Raises RangeError."""
    if not text or text.count(",") >= MOST_RANGES:
        return []
    unit, _, listed = text.partition("=")
    if unit != "bytes":
        raise RangeError("invalid range")
    wanted = [one.strip() for one in listed.split(",")]
    found = [_range(one, size) for one in wanted if one]
    overlapping = [one for one in found if one is not None]
    if found and not overlapping:
        raise RangeError("invalid range: failed to overlap", beyond=True)
    return overlapping


def _range(text: str, size: int) -> Range | None:
    """None for one that lies behind the end. Raises RangeError."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not dash or not all(_POSITION(one) for one in (first, last) if one) or not (first or last):
        raise RangeError("invalid range")
    if not first:
        return max(0, size - int(last)), size
    if int(first) >= size:
        return None
    if last and int(first) > int(last):
        raise RangeError("invalid range")
    return int(first), min(int(last) + 1, size) if last else size


def _partial(body: bytes, content_type: str, ranges: list[Range], headers: list[tuple[str, str]]) -> Response:
    told = [f"bytes {start}-{end - 1}/{len(body)}" for start, end in ranges]
    if len(ranges) == 1:
        ((start, end),) = ranges
        return Response(206, body[start:end], content_type, [*headers, ("content-range", told[0])])
    boundary = secrets.token_hex(30)
    parts: list[bytes] = []
    for one, (start, end) in zip(told, ranges, strict=True):
        line_end = "\r\n" if parts else ""
        head = f"{line_end}--{boundary}\r\nContent-Range: {one}\r\nContent-Type: {content_type}\r\n\r\n"
        parts += [head.encode(), body[start:end]]
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    return Response(206, b"".join(parts), f"multipart/byteranges; boundary={boundary}", headers)
