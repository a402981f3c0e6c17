"""Channels over SPDY/3.1: each is a stream that the client opens, named by its headers."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from pybernetes.streaming.channel import Channel
from pybernetes.streaming.duplex import Duplex
from pybernetes.wire import spdy

Opened = Callable[[dict[str, str], Channel], Awaitable[None]]


class SpdyChannels:
    """The streams of one connection. `run` moves frames until the client is gone, calling `opened` for each stream."""

    def __init__(self, duplex: Duplex, opened: Opened) -> None:
        self._duplex, self._opened = duplex, opened
        self._connection = spdy.Connection()
        self._channels: dict[int, Channel] = {}
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        try:
            while data := await self._duplex.read():
                for event in self._connection.receive(data):
                    await self._handle(event)
        except (spdy.SpdyError, ConnectionError):
            return
        finally:
            for channel in self._channels.values():
                channel.cut()

    async def close(self) -> None:
        await self._duplex.close()

    async def _handle(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened(stream, headers, fin):
                channel = Channel(partial(self._send, stream), partial(self._finish, stream))
                self._channels[stream] = channel
                await self._write(self._connection.accept(stream))
                if fin:
                    await channel.feed(b"")
                await self._opened(headers, channel)
            case spdy.Data(stream, data, fin) if stream in self._channels:
                if data:
                    await self._channels[stream].feed(data)
                if fin:
                    await self._channels[stream].feed(b"")
            case spdy.Reset(stream) if stream in self._channels:
                channel = self._channels.pop(stream)
                channel.closed = True
                channel.cut()
            case spdy.Ping(id) if id % 2:
                await self._write(self._connection.pong(event))

    async def _send(self, stream: int, data: bytes) -> None:
        await self._write(self._connection.data(stream, data))

    async def _finish(self, stream: int) -> None:
        await self._write(self._connection.data(stream, b"", fin=True))

    async def _write(self, frame: bytes) -> None:
        async with self._writing:
            await self._duplex.write(frame)
