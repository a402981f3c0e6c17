"""gRPC health probe (grpc.health.v1.Health/Check) in the little HTTP/2 that one unary call needs (RFC 9113).

Headers of the answer are not decoded: a serving status needs a DATA frame, and every error comes without one.
"""

import asyncio
import struct
from collections.abc import AsyncIterator

from pybernetes.kubelet.probes.outcome import Outcome
from pybernetes.wire.dialing import dial_error, join

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
STREAM = 1
STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


async def check(host: str, port: int, service: str, seconds: float) -> Outcome:
    """Success if the service answers SERVING in time."""
    try:
        async with asyncio.timeout(seconds):
            status = await _call(host, port, service)
    except TimeoutError:
        words = "context deadline exceeded"
        return Outcome(False, f'timeout: failed to connect service "{join(host, port)}" within {seconds:g}s: {words}')
    except (OSError, EOFError) as error:
        return Outcome(False, f"error: {dial_error(host, port, error)}")
    if status is None:
        return Outcome(False, "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)")
    name = STATUSES.get(status, str(status))
    return Outcome(status == 1, f'service unhealthy (responded with "{name}")' if status != 1 else "service healthy")


async def _call(host: str, port: int, service: str) -> int | None:
    """The status in the answer, None if the answer is an error."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(PREFACE + _frame(SETTINGS, 0, 0, b"") + _request(join(host, port), service))
        async for kind, flags, payload in _frames(reader):
            if kind == SETTINGS and not flags & ACK:
                writer.write(_frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                writer.write(_frame(PING, ACK, 0, payload))
            elif kind == DATA and payload:
                return _status(payload)
            elif kind in (RST_STREAM, GOAWAY) or (kind in (DATA, HEADERS) and flags & END_STREAM):
                return None
        return None
    finally:
        writer.close()


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, int, bytes]]:
    """Kind, flags and payload of each frame until the connection ends."""
    while True:
        try:
            head = await reader.readexactly(9)
            yield head[3], head[4], await reader.readexactly(int.from_bytes(head[:3]))
        except asyncio.IncompleteReadError:
            return


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _request(authority: str, service: str) -> bytes:
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": "kube-probe",
    }
    block = b"".join(_literal(key.encode(), value.encode()) for key, value in headers.items())
    body = b"\0" + len(message).to_bytes(4) + message
    return _frame(HEADERS, END_HEADERS, STREAM, block) + _frame(DATA, END_STREAM, STREAM, body)


def _literal(name: bytes, value: bytes) -> bytes:
    """HPACK: literal without indexing, new name, no Huffman coding (RFC 7541, 6.2.2); lengths are below 127."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _status(data: bytes) -> int:
    """Field 1 of HealthCheckResponse behind the five bytes of gRPC's message head; absent means UNKNOWN."""
    message = data[5:]
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
