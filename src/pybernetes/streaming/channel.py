"""Named channels between a client and a session, over either transport."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

BACKLOG = 128 * 1024
"""Bytes of a channel that wait to be read before its connection waits."""

Send = Callable[[bytes], Awaitable[None]]
Close = Callable[[], Awaitable[None]]


class Channel:
    """One of a connection's channels. Incoming bytes wait, up to a bound, beyond which the connection waits."""

    def __init__(self, send: Send, close: Close) -> None:
        self._send, self._close = send, close
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._waiting = 0
        self._room = asyncio.Event()
        self._is_read = True
        self._ended = False
        self.closed = False

    async def read(self) -> bytes:
        """The next bytes from the client; b"" once it has closed the channel or gone."""
        if self._ended:
            return b""
        data = await self._incoming.get()
        self._waiting -= len(data)
        self._room.set()
        self._ended = not data
        return data

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError when the client is gone."""
        if self.closed:
            raise ConnectionError("the channel is closed")
        await self._send(data)

    async def close(self) -> None:
        """No more will be written. Safe to repeat."""
        if not self.closed:
            self.closed = True
            with suppress(ConnectionError):
                await self._close()

    def ignore(self) -> None:
        """Nobody reads: what comes is dropped."""
        self._is_read = False
        self._room.set()

    async def feed(self, data: bytes) -> None:
        """For the transport: bytes have come; b"" is the end."""
        while self._waiting >= BACKLOG and self._is_read:
            self._room.clear()
            await self._room.wait()
        if self._is_read:
            self._waiting += len(data)
            self._incoming.put_nowait(data)

    def cut(self) -> None:
        """For the transport: the connection is gone."""
        self._incoming.put_nowait(b"")


async def no_close() -> None:
    """For transports on which a single channel cannot be closed."""
