"""Byte streams in both directions, whatever carries them."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

from pybernetes.wire import websocket as ws

CHUNK = 64 * 1024


class Duplex(Protocol):
    """`read` returns b"" at the end. `write` raises ConnectionError when the other side is gone."""

    async def read(self) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    async def close(self) -> None: ...


class StreamDuplex:
    """The connection itself, after an upgrade."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(CHUNK)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        with suppress(ConnectionError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            await self._writer.drain()


class WebSocket:
    """Whole messages over a connection, server's side."""

    def __init__(self, stream: Duplex) -> None:
        self._stream = stream
        self._decoder = ws.Decoder(masked=True)
        self._waiting: deque[ws.Message] = deque()
        self._closed = False

    async def receive(self) -> ws.Message | None:
        """The next text or binary message; None at the end. Pings are answered."""
        while not self._closed:
            while self._waiting:
                message = self._waiting.popleft()
                if message.opcode in (ws.Opcode.TEXT, ws.Opcode.BINARY):
                    return message
                await self._control(message)
            data = await self._stream.read()
            if not data:
                return None
            try:
                self._waiting += self._decoder.feed(data)
            except ws.WebSocketError as error:
                await self.close(1002, str(error))
        return None

    async def _control(self, message: ws.Message) -> None:
        if message.opcode == ws.Opcode.PING:
            await self._stream.write(ws.encode(ws.Opcode.PONG, message.data))
        elif message.opcode == ws.Opcode.CLOSE:
            await self.close()

    async def send(self, data: bytes, *, text: bool = False) -> None:
        if self._closed:
            raise ConnectionError("the WebSocket is closed")
        await self._stream.write(ws.encode(ws.Opcode.TEXT if text else ws.Opcode.BINARY, data))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye once; safe to repeat."""
        if not self._closed:
            self._closed = True
            with suppress(ConnectionError):
                await self._stream.write(ws.encode_close(code, reason))
            await self._stream.close()


class TunnelDuplex:
    """A byte stream inside the binary messages of a WebSocket (KEP-4006)."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while (message := await self._socket.receive()) is not None:
            if message.data:
                return message.data
        return b""

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.close()
