"""A request on its way in, and its body."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from pybernetes.apiserver.http.head import CONTINUE
from pybernetes.apiserver.http.message import BodyTooLargeError, DisconnectedError, SlowBodyError


class Incoming:
    """A request while it arrives; the source of its body. `interim` sends the client a word meanwhile."""

    __slots__ = ("_chunks", "_complete", "_limit", "_seconds", "_send", "_waiter", "expects", "headers", "keep_alive", "lost", "size", "taken", "target", "upgrade")  # fmt: skip

    def __init__(self, interim: Callable[[bytes], None], limit: int, seconds: float) -> None:
        self._send = interim
        self._seconds = seconds
        self.target = b""
        self.headers: list[tuple[str, str]] = []
        self.keep_alive = True
        self.upgrade = False
        self.expects = False
        self.lost = False
        self.taken = False
        """Whether it is understood so far that it will be answered."""
        self._chunks: list[bytes] = []
        self.size = 0
        self._limit = limit
        self._complete = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        if self.size <= self._limit:
            self._chunks.append(data)
        else:
            self._chunks.clear()
            self._wake()

    def finish(self) -> None:
        self._complete = True
        self._wake()

    def lose(self) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def unread(self) -> bool:
        """Whether the client is still sending: the connection cannot be used again."""
        return not self._complete

    @property
    def is_plain(self) -> bool:
        """Whether its body is as long as its headers say, and nothing else is asked of the connection."""
        names = {name for name, _ in self.headers}
        return self.keep_alive and not self.upgrade and names.isdisjoint(("transfer-encoding", "expect", "upgrade"))

    async def read(self) -> bytes:
        if self.expects:
            self.expects = False
            self._send(CONTINUE)
        if not self._complete:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._arrived()
            except TimeoutError:
                raise SlowBodyError from None
        if self.size > self._limit:
            raise BodyTooLargeError
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    async def _arrived(self) -> None:
        while not self._complete and self.size <= self._limit:
            if self.lost:
                raise DisconnectedError
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter


class Whole:
    """A request that came in one piece, with its body."""

    __slots__ = ("_body",)

    keep_alive: Final = True
    upgrade: Final = False
    unread: Final = False

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body
