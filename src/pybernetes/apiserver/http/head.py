"""The first lines of answers, made once for each status and content type."""

import time
from functools import lru_cache
from http import HTTPStatus
from typing import Final

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"


_CACHING: Final = "cache-control: "


@lru_cache(maxsize=256)
def _start(status: int, content_type: str, version: str, says_caching: bool) -> bytes:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = f"HTTP/{version} {status} {phrase}\r\n"
    if status >= 200 and not says_caching:
        lines += f"{_CACHING}no-cache, private\r\n"
    if content_type:
        lines += f"content-type: {content_type}\r\n"
    return lines.encode("latin-1")


@lru_cache(maxsize=256)
def _dated(status: int, content_type: str, version: str, says_caching: bool, second: int) -> bytes:
    date = time.strftime("date: %a, %d %b %Y %H:%M:%S GMT\r\n", time.gmtime(second)).encode("ascii")
    return _start(status, content_type, version, says_caching) + date


def head(status: int, content_type: str, headers: list[tuple[str, str]], length: int, version: str = "1.1") -> bytes:
    """Everything before the body. `length` -1: chunked; -2: until the connection ends."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if length >= 0:
        end = b"content-length: %d\r\n\r\n" % length
    else:
        end = b"transfer-encoding: chunked\r\n\r\n" if length == -1 else b"\r\n"
    return _dated(status, content_type, version, _CACHING in lines, int(time.time())) + lines.encode() + end
