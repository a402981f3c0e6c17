"""The first lines of answers, made once for each status and content type."""

import time
from functools import lru_cache
from http import HTTPStatus
from typing import Final

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"


@lru_cache(maxsize=256)
def _start(status: int, content_type: str) -> bytes:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = f"HTTP/1.1 {status} {phrase}\r\n"
    if status >= 200:
        lines += "cache-control: no-cache, private\r\n"
    if content_type:
        lines += f"content-type: {content_type}\r\n"
    return lines.encode("latin-1")


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return time.strftime("date: %a, %d %b %Y %H:%M:%S GMT\r\n", time.gmtime(second)).encode("ascii")


def head(status: int, content_type: str, headers: list[tuple[str, str]], length: int) -> bytes:
    """Everything before the body. `length` -1: chunked; -2: until the connection ends."""
    parts = [_start(status, content_type), _date(int(time.time()))]
    for name, value in headers:
        parts.append(f"{name}: {value}\r\n".encode())
    if length >= 0:
        parts.append(b"content-length: %d\r\n\r\n" % length)
    elif length == -1:
        parts.append(b"transfer-encoding: chunked\r\n\r\n")
    else:
        parts.append(b"\r\n")
    return b"".join(parts)
