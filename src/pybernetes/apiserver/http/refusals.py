"""What is said to requests that no handler sees, in the words of Go's server."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final


class RefusedError(Exception):
    """A head that is answered with these words, behind which the connection is closed."""

    def __init__(self, words: bytes) -> None:
        super().__init__(words)
        self.words = words


def refusal(code: int, why: str = "", *, body: str = "") -> bytes:
    """An answer behind which the connection is closed."""
    line = f"{code} {HTTPStatus(code).phrase}" + (f": {why}" if why else "")
    head = f"HTTP/1.1 {line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    return (head + (body or line)).encode()


BAD_REQUEST: Final = refusal(400)
BAD_NAME: Final = refusal(400, "invalid header name")
NO_HOST: Final = refusal(400, "missing required Host header")
BAD_HOST: Final = refusal(400, "malformed Host header")
TOO_LARGE: Final = refusal(431)
UNKNOWN_CODING: Final = refusal(501, body="Unsupported transfer encoding")
UNKNOWN_VERSION: Final = refusal(505, "unsupported protocol version")
UNKNOWN_EXPECTATION: Final = b"HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
