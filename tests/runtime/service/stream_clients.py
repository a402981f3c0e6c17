"""Clients of the streaming server, as kubectl is one: over WebSocket and over SPDY/3.1."""

import asyncio
import base64
import json
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pybernetes.wire import spdy
from pybernetes.wire import websocket as ws
from pybernetes.wire.channels import Channel


async def dial(url: str, headers: dict[str, str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """Upgrade at a `unix://` URL; returns the head of the answer."""
    path, _, target = urlsplit(url).path.partition(":")
    reader, writer = await asyncio.open_unix_connection(path)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n{lines}\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    return reader, writer, head


@dataclass
class WebSocketClient:
    """One WebSocket; what comes is collected by channel, or as it is once `raw` is set."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str
    received: dict[int, bytearray] = field(default_factory=dict)
    _decoder: ws.Decoder = field(default_factory=ws.Decoder)
    closed: bool = False
    raw: bool = False
    tunnelled: bytearray = field(default_factory=bytearray)

    @classmethod
    async def open(cls, url: str, protocol: str) -> "WebSocketClient":
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {"Upgrade": "websocket", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
        return cls(*await dial(url, headers | {"Sec-WebSocket-Protocol": protocol}))

    def send(self, channel: int, data: bytes) -> None:
        self.writer.write(ws.encode(ws.Opcode.BINARY, bytes((channel,)) + data, mask=True))

    async def step(self) -> None:
        """Take what comes next."""
        data = await asyncio.wait_for(self.reader.read(65536), 10)
        self.closed = self.closed or not data
        for message in self._decoder.feed(data):
            if message.opcode == ws.Opcode.CLOSE:
                self.closed = True
            elif self.raw:
                self.tunnelled += message.data
            elif message.data:
                self.received.setdefault(message.data[0], bytearray()).extend(message.data[1:])

    async def until(self, channel: int, text: bytes) -> None:
        while text not in self.received.get(channel, b"") and not self.closed:
            await self.step()

    async def read_all(self) -> None:
        """Read until the server closes."""
        while not self.closed:
            await self.step()
        self.writer.close()

    async def finish(self) -> dict[str, object]:
        """Read to the end; the Status that was told."""
        await self.read_all()
        told: dict[str, object] = json.loads(self.received.get(Channel.ERROR, b"{}"))
        return told

    def text(self, channel: int) -> str:
        return self.received.get(channel, bytearray()).decode()


@dataclass
class SpdyClient:
    """One SPDY connection; what comes is collected by stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str
    received: dict[int, bytearray] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    connection: spdy.Connection = field(default_factory=spdy.Connection)
    _next: int = 1

    @classmethod
    async def open(cls, url: str, protocol: str) -> "SpdyClient":
        return cls(*await dial(url, {"Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": protocol}))

    def stream(self, **headers: str) -> int:
        number, self._next = self._next, self._next + 2
        self.writer.write(self.connection.open(number, headers))
        return number

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        self.writer.write(self.connection.data(stream, data, fin=fin))

    async def wait_ended(self, *streams: int) -> None:
        """Read until the other side has ended these streams."""
        while not set(streams) <= self.ended:
            data = await asyncio.wait_for(self.reader.read(65536), 10)
            if not data:
                raise ConnectionError(f"ended early: {self.received}")
            for event in self.connection.receive(data):
                if isinstance(event, spdy.Data):
                    self.received.setdefault(event.stream, bytearray()).extend(event.data)
                    if event.fin:
                        self.ended.add(event.stream)

    def text(self, stream: int) -> str:
        return self.received.get(stream, bytearray()).decode()
