"""An answer: its head, and its body as it comes."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Final, Protocol

from pybernetes.aio.http.errors import HTTPError, SilentError

HIGH_WATER: Final = 512 << 10
"""Bytes of an answer that may wait for their reader before the sender is held up."""


class Source(Protocol):
    """The connection that an answer comes by."""

    def resume(self) -> None:
        """Read on: the reader has caught up."""
        ...

    def abort(self) -> None:
        """End at once, with all that is under way."""
        ...


class Answer:
    """An answer whose head has come. Read it to its end or close it.

    Of one that is read as a `whole` the reader is woken once, at its end, and nobody holds up its sender.
    """

    __slots__ = (
        "_buffered", "_connection", "_ended", "_failure", "_headers", "_parts", "_waiter", "_whole", "fields", "status",
    )  # fmt: skip

    def __init__(self, connection: Source, *, whole: bool = False) -> None:
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] | None = None
        self._whole = whole
        self._connection = connection
        self._parts: deque[bytes] = deque()
        self._buffered = 0
        self._ended = False
        self._failure: HTTPError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """By their names in lower case."""
        if self._headers is None:
            self._headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.fields}
        return self._headers

    async def read(self, seconds: float = math.inf) -> bytes:
        """The rest of the body. Raises HTTPError, SilentError if nothing comes for so long."""
        while not self._ended:
            self._connection.resume()
            await self._wait(seconds)
        if self._failure:
            raise self._failure
        return self._take()

    async def part(self, seconds: float = math.inf) -> bytes:
        """What has come of the body, at least a byte; empty at its end. Raises HTTPError, SilentError if nothing comes."""
        while not self._parts:
            if self._failure:
                raise self._failure
            if self._ended:
                return b""
            self._connection.resume()
            await self._wait(seconds)
        return self._take()

    def close(self) -> None:
        """Give up the rest of the answer, and with it the connection. Safe to repeat."""
        if not self._ended:
            self._connection.abort()

    async def wait_head(self) -> None:
        while not self.status and not self._ended:
            await self._wait()
        if not self.status and self._failure:
            raise self._failure

    def feed(self, body: bytes) -> bool:
        """Called by the connection; False if the reader is too far behind."""
        self._parts.append(body)
        if self._whole:
            return True
        self._buffered += len(body)
        self._wake()
        return self._buffered < HIGH_WATER

    def end(self, failure: HTTPError | None = None) -> None:
        """Called by the connection, at the end of the body or when it broke off."""
        if not self._ended:
            self._ended, self._failure = True, failure
            self._wake()

    def begin(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        """Called by the connection, with the head."""
        self.status, self.fields = status, fields
        if not self._whole:
            self._wake()

    def expire(self, seconds: float) -> None:
        """Give up waiting."""
        self.end(SilentError(f"no answer within {seconds:g} s"))
        self._connection.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take(self) -> bytes:
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._buffered = 0
        return body

    async def _wait(self, seconds: float = math.inf) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self.expire, seconds) if seconds < math.inf else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
