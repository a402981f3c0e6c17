"""The body of a request on its way in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from pybernetes.apiserver.http.head import CONTINUE
from pybernetes.apiserver.http.message import BodyTooLargeError, DisconnectedError, SlowBodyError


class Incoming:
    """A body that arrives while its request is handled. `interim` sends the client a word meanwhile."""

    __slots__ = ("_broken", "_chunks", "_complete", "_limit", "_seconds", "_send", "_size", "_waiter", "expects")

    def __init__(self, interim: Callable[[bytes], None], limit: int, seconds: float) -> None:
        self._send = interim
        self._limit = limit
        self._seconds = seconds
        self.expects = False
        """Whether the client waits for a word before it sends anything."""
        self._chunks: list[bytes] = []
        self._size = 0
        self._complete = False
        self._broken: DisconnectedError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._chunks.append(data)
        else:
            self._chunks.clear()
            self._wake()

    def finish(self) -> None:
        self._complete = True
        self._wake()

    def lose(self, why: str = "unexpected EOF") -> None:
        """No more will come of it."""
        if not self._complete:
            self._broken = DisconnectedError(why)
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def unread(self) -> bool:
        """Whether the client is still sending: the connection cannot be used again."""
        return not self._complete

    async def read(self) -> bytes:
        if self.expects:
            self.expects = False
            self._send(CONTINUE)
        await self._arrived()
        if self._size > self._limit:
            raise BodyTooLargeError
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    async def skip(self) -> None:
        """Wait until it is over, or will never be."""
        with contextlib.suppress(DisconnectedError):
            await self._arrived()

    async def _arrived(self) -> None:
        if self._complete:
            return
        try:
            async with asyncio.timeout(self._seconds):
                while not self._complete and self._size <= self._limit:
                    if self._broken is not None:
                        raise self._broken
                    self._waiter = asyncio.get_running_loop().create_future()
                    await self._waiter
        except TimeoutError:
            raise SlowBodyError from None


class Whole:
    """A body that came in one piece with its head."""

    __slots__ = ("_body",)

    unread: Final = False

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body

    async def skip(self) -> None:
        """It is here."""
