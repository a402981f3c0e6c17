"""WebSocket (RFC 6455) without sockets: the handshake's answer, frames to messages and back, for both sides."""

import base64
import hashlib
import os
import struct
from enum import IntEnum

from msgspec import Struct

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_MESSAGE = 32 << 20


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class WebSocketError(ValueError):
    """The other side breaks the protocol."""


class Message(Struct, frozen=True):
    """A whole message, its fragments joined, or a control frame."""

    opcode: Opcode
    data: bytes


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def encode(opcode: Opcode, data: bytes, *, mask: bool = False) -> bytes:
    """One unfragmented frame; a client's is masked."""
    head = bytes((0x80 | opcode,))
    flag = 0x80 if mask else 0
    if len(data) < 126:
        head += bytes((flag | len(data),))
    elif len(data) < 1 << 16:
        head += struct.pack("!BH", flag | 126, len(data))
    else:
        head += struct.pack("!BQ", flag | 127, len(data))
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + _masked(data, key)


def encode_close(code: int = 1000, reason: str = "", *, mask: bool = False) -> bytes:
    """A close frame; the reason is cut to what a control frame holds."""
    return encode(Opcode.CLOSE, struct.pack("!H", code) + reason.encode()[:123], mask=mask)


def _masked(data: bytes, key: bytes) -> bytes:
    if not data:
        return b""
    stream = key * (len(data) // 4 + 1)
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream[: len(data)], "big")).to_bytes(len(data), "big")


class Decoder:
    """Bytes in, messages out. A message is bounded at 32 MiB. With `masked` (a server) every frame has to be."""

    def __init__(self, *, masked: bool = False) -> None:
        self._masked = masked
        self._buffer = bytearray()
        self._begun: bytearray | None = None
        self._opcode = Opcode.BINARY

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises WebSocketError."""
        self._buffer += data
        messages: list[Message] = []
        while (frame := self._frame()) is not None:
            if (message := self._message(*frame)) is not None:
                messages.append(message)
        return messages

    def _frame(self) -> tuple[bool, Opcode, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        if buffer[0] & 0x70:
            raise WebSocketError("reserved bits are set")
        if self._masked and not buffer[1] & 0x80:
            raise WebSocketError("a frame is not masked")
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(buffer) < 2 + size:
                return None
            length, start = int.from_bytes(buffer[2 : 2 + size], "big"), 2 + size
        if length > _MAX_MESSAGE:
            raise WebSocketError(f"a frame of {length} bytes")
        key = b""
        if buffer[1] & 0x80:
            key, start = bytes(buffer[start : start + 4]), start + 4
        if len(buffer) < start + length:
            return None
        payload = bytes(buffer[start : start + length])
        try:
            opcode = Opcode(buffer[0] & 0x0F)
        except ValueError as error:
            raise WebSocketError(str(error)) from error
        final = bool(buffer[0] & 0x80)
        del buffer[: start + length]
        return final, opcode, _masked(payload, key) if key else payload

    def _message(self, final: bool, opcode: Opcode, payload: bytes) -> Message | None:
        if opcode >= Opcode.CLOSE:
            if not final or len(payload) > 125:
                raise WebSocketError("a control frame is fragmented or too long")
            return Message(opcode, payload)
        if (opcode == Opcode.CONTINUATION) == (self._begun is None):
            raise WebSocketError("fragments out of order")
        if self._begun is None:
            if final:
                return Message(opcode, payload)
            self._opcode, self._begun = opcode, bytearray()
        if len(self._begun) + len(payload) > _MAX_MESSAGE:
            raise WebSocketError("a message is too long")
        self._begun += payload
        if not final:
            return None
        message, self._begun = Message(self._opcode, bytes(self._begun)), None
        return message
