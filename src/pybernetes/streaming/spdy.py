"""Channels over SPDY/3.1: each is a stream that the client opens, named by its headers."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from pybernetes.streaming.channel import Channel
from pybernetes.streaming.duplex import Duplex
from pybernetes.wire import spdy

MAX_STREAMS = 1000
"""Streams of a connection that may be open at once."""

Opened = Callable[[dict[str, str], Channel], Awaitable[None]]


class RefusedStreamError(Exception):
    """What a stream's headers ask for is not to be had: it is reset."""


class SpdyChannels:
    """The streams of one connection. `run` moves frames until the client is gone, calling `opened` for each stream.

    `opened` may raise RefusedStreamError.
    """

    def __init__(self, duplex: Duplex, opened: Opened) -> None:
        self._duplex, self._opened = duplex, opened
        self._connection = spdy.Connection()
        self._channels: dict[int, Channel] = {}
        self._half_closed: set[int] = set()
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
                await self._open(stream, headers, fin=fin)
            case spdy.Data(stream, data, fin) if stream in self._channels and stream not in self._half_closed:
                await self._take(stream, data, fin=fin)
            case spdy.Reset(stream) if stream in self._channels:
                channel = self._forget(stream)
                channel.closed = True
                channel.cut()
            case spdy.Ping(id) if id % 2:
                await self._write(self._connection.pong(event))

    async def _open(self, stream: int, headers: dict[str, str], *, fin: bool) -> None:
        if len(self._channels) >= MAX_STREAMS:
            await self._write(self._connection.reset(stream, spdy.REFUSED))
            return
        channel = Channel(partial(self._send, stream), partial(self._finish, stream))
        self._channels[stream] = channel
        await self._write(self._connection.accept(stream))
        if fin:
            await self._take(stream, b"", fin=True)
        try:
            await self._opened(headers, channel)
        except RefusedStreamError:
            self._forget(stream)
            await self._write(self._connection.reset(stream, spdy.REFUSED))

    async def _take(self, stream: int, data: bytes, *, fin: bool) -> None:
        channel = self._channels[stream]
        if data:
            await channel.feed(data)
        if fin:
            await channel.feed(b"")
            self._half_closed.add(stream)
            if channel.closed:
                self._forget(stream)

    def _forget(self, stream: int) -> Channel:
        """Both sides have ended it."""
        self._half_closed.discard(stream)
        return self._channels.pop(stream)

    async def _send(self, stream: int, data: bytes) -> None:
        await self._write(self._connection.data(stream, data))

    async def _finish(self, stream: int) -> None:
        if stream in self._half_closed:
            self._forget(stream)
        await self._write(self._connection.data(stream, b"", fin=True))

    async def _write(self, frame: bytes) -> None:
        async with self._writing:
            await self._duplex.write(frame)
