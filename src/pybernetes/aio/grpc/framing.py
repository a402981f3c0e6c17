"""What gRPC writes into HTTP/2: messages behind their lengths, and values of headers.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from pybernetes.aio.grpc.errors import Code, GrpcError

MAX_MESSAGE = 4 << 20
"""What a peer may send at once; grpc-go's default."""

_HEAD = 5
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")

Headers = Iterable[tuple[bytes, bytes]]


def frame(message: bytes) -> bytes:
    """A message that is not compressed."""
    return b"\0" + len(message).to_bytes(4) + message


class Deframer:
    """Takes bytes as they come."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def is_clean(self) -> bool:
        """Whether the bytes so far end with a message."""
        return not self._data

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now. Raises GrpcError for those that are not taken."""
        self._data += data
        found = []
        while len(self._data) >= _HEAD:
            if self._data[0]:
                raise GrpcError(Code.INTERNAL, "grpc: compressed flag set with identity or empty encoding")
            size = int.from_bytes(self._data[1:_HEAD])
            if size > MAX_MESSAGE:
                raise GrpcError(
                    Code.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({size} vs. {MAX_MESSAGE})"
                )
            end = _HEAD + size
            if len(self._data) < end:
                break
            found.append(bytes(self._data[_HEAD:end]))
            del self._data[:end]
        return found


def encode_timeout(seconds: float) -> str:
    """At most eight digits: microseconds of what is short, else milliseconds, else seconds."""
    for unit, scale in (("u", 1e6), ("m", 1e3), ("S", 1.0)):
        if (value := round(max(0.0, seconds) * scale)) < 10**8:
            return f"{value}{unit}"
    return "99999999S"


def decode_timeout(text: str) -> float | None:
    """Seconds; None if there are none."""
    found = _TIMEOUT.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def encode_message(text: str) -> bytes:
    """A status message as `grpc-message`: printable ASCII but for `%`, all else as percent-encoded UTF-8."""
    return b"".join(
        bytes([byte]) if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte
        for byte in text.encode(errors="replace")
    )


def decode_message(value: bytes) -> str:
    return unquote_to_bytes(value).decode(errors="replace")


def status_of(headers: Headers) -> GrpcError | None:
    """The status at the end of an answer, None for OK."""
    fields = dict(headers)
    given = fields.get(b"grpc-status")
    if given is None:
        http = fields.get(b":status", b"200").decode("latin-1")
        if http != "200":
            return GrpcError(_of_http(http), f"unexpected HTTP status code received from server: {http}")
        return GrpcError(Code.INTERNAL, "server closed the stream without sending trailers")
    code = int(given) if given.isdigit() else int(Code.UNKNOWN)
    return GrpcError(code, decode_message(fields.get(b"grpc-message", b""))) if code else None


def _of_http(status: str) -> Code:
    """https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md"""
    known = {
        "400": Code.INTERNAL,
        "401": Code.UNAUTHENTICATED,
        "403": Code.PERMISSION_DENIED,
        "404": Code.UNIMPLEMENTED,
        **dict.fromkeys(("429", "502", "503", "504"), Code.UNAVAILABLE),
    }
    return known.get(status, Code.UNKNOWN)
