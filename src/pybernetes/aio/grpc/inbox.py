"""The messages of one direction of a call, as somebody waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pybernetes.aio.grpc.errors import Code, GrpcError
from pybernetes.aio.grpc.framing import Deframer


class Inbox:
    """Bytes count as read (`acknowledge(size)`) once nobody has messages left to take: a slow reader slows the peer."""

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        self._acknowledge = acknowledge
        self._deframer = Deframer()
        self._messages: deque[bytes] = deque()
        self._unread = 0
        self._ended = False
        self._failure: GrpcError | None = None
        self._changed = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        return self._ended

    def feed(self, data: bytes, size: int) -> None:
        """`size`: what the peer counts for these bytes, padding included. Raises GrpcError for messages not taken."""
        self._unread += size
        self._messages += self._deframer.feed(data)
        self._changed.set()
        self._regulate()

    def finish(self, failure: GrpcError | None = None) -> None:
        """Nothing more comes. What has come is taken first. The first end counts."""
        if not self._ended:
            if failure is None and not self._deframer.is_clean:
                failure = GrpcError(Code.INTERNAL, "unexpected EOF")
            self._ended, self._failure = True, failure
            self._changed.set()

    def close(self) -> None:
        """Nobody takes what is left, or comes."""
        self._messages.clear()
        self.finish(GrpcError(Code.CANCELLED, "context canceled"))
        self._regulate()

    async def take(self) -> bytes | None:
        """The next message, None behind the last. Raises the GrpcError that the call ended with."""
        while not self._messages:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        message = self._messages.popleft()
        self._regulate()
        return message

    def _regulate(self) -> None:
        if self._unread and not self._messages:
            unread, self._unread = self._unread, 0
            self._acknowledge(unread)
