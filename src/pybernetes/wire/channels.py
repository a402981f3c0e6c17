"""The sub-protocols of Kubernetes' streams: names, channel numbers, and the messages of each.

Over WebSocket a message's first byte is its channel; with a `base64` protocol that byte is an ASCII digit and the rest
is encoded. Version 5 adds the closing of one channel. Port-forward pairs a data with an error channel per port.
"""

import base64
import binascii
import json
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from msgspec import Struct

from pybernetes.wire.numbers import parse_number

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
REMOTE_COMMAND = (V5, V4, "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io")
PORT_FORWARD = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
PORT_FORWARD_TUNNEL = "SPDY/3.1+portforward.k8s.io"
SPDY_REMOTE_COMMAND = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
SPDY_PORT_FORWARD = "portforward.k8s.io"


_MAX_SIZE = 4096


class Channel(IntEnum):
    """Channels of exec and attach."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4
    CLOSE = 255


class ChannelError(ValueError):
    """A message that the protocol does not know."""


class Codec(Struct, frozen=True):
    """How a negotiated protocol writes channel and payload into one message."""

    protocol: str

    @property
    def is_text(self) -> bool:
        return "base64" in self.protocol

    @property
    def closes_channels(self) -> bool:
        return self.protocol == V5

    @property
    def has_status(self) -> bool:
        """Whether the error channel carries a Status rather than a message."""
        return self.protocol.startswith(("v4", "v5"))

    def encode(self, channel: int, data: bytes) -> bytes:
        if self.is_text:
            return b"%d" % channel + base64.b64encode(data)
        return bytes((channel,)) + data

    def decode(self, message: bytes) -> tuple[int, bytes]:
        """Channel and payload. Raises ChannelError."""
        if not message:
            raise ChannelError("empty message")
        if not self.is_text:
            return message[0], message[1:]
        try:
            return int(message[:1]), base64.b64decode(message[1:], validate=True)
        except (ValueError, binascii.Error) as error:
            raise ChannelError(str(error)) from error


def negotiate(offered: Sequence[str], supported: Sequence[str]) -> str | None:
    """The first protocol that the client offers and we support."""
    return next((protocol for protocol in offered if protocol in supported), None)


def resize(data: bytes) -> tuple[int, int]:
    """Rows and columns out of a resize message, `{"Width": 80, "Height": 24}`. Raises ChannelError."""
    if len(data) > _MAX_SIZE:
        raise ChannelError("a terminal size is too long")
    try:
        size: dict[str, Any] = json.loads(data)
        rows, columns = int(size.get("Height", 0)), int(size.get("Width", 0))
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        raise ChannelError(str(error)) from error
    if not (0 <= rows < 1 << 16 and 0 <= columns < 1 << 16):
        raise ChannelError("terminal size out of range")
    return rows, columns


def parse_port(text: str) -> int | None:
    """A port's number; None for what is none."""
    return parse_number(text, (1 << 16) - 1) or None


def port_announcement(port: int) -> bytes:
    """The first message on each channel of a forwarded port: its number, little-endian."""
    return struct.pack("<H", port)


def success() -> bytes:
    """The Status of a command that ended with 0."""
    return json.dumps({"metadata": {}, "status": "Success"}).encode()


def exit_code(code: int, message: str) -> bytes:
    """The Status of a command that ended otherwise."""
    return json.dumps(
        {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: {message}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }
    ).encode()


def internal_error(message: str) -> bytes:
    """The Status of what could not be carried out."""
    return json.dumps(
        {
            "metadata": {},
            "status": "Failure",
            "message": f"Internal error occurred: {message}",
            "reason": "InternalError",
            "details": {"causes": [{"message": message}]},
            "code": 500,
        }
    ).encode()
