"""One connection to a server: httptools parses, one exchange at a time."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

from pybernetes.aio.http.answer import Answer
from pybernetes.aio.http.errors import DisconnectedError, HTTPError
from pybernetes.aio.http.request import Origin


class Pool(Protocol):
    """Who keeps connections for the next request."""

    def release(self, connection: Connection) -> None:
        """Its exchange has ended well: it can take another."""
        ...

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        ...


class Connection(asyncio.Protocol):
    """One connection with at most one exchange at a time; the callbacks named `on_*` are httptools'."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self._pool, self.origin = pool, origin
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self.idle_since = 0.0

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and wait for the head of its answer. Raises HTTPError."""
        assert self._transport is not None
        answer = self._answer = Answer(self)
        self._transport.write(request)
        try:
            await answer.wait_head()
        except BaseException:
            self.abort()
            raise
        return answer

    async def ask(self, request: bytes, seconds: float) -> tuple[Answer, bytes]:
        """Send a request and read its answer to the end. Raises HTTPError, SilentError after so many seconds."""
        assert self._transport is not None
        answer = self._answer = Answer(self, whole=True)
        self._transport.write(request)
        try:
            return answer, await answer.read(seconds)
        finally:
            answer.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            if self._answer is None:
                raise httptools.HttpParserError("an answer that nobody asked for")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(HTTPError(f"malformed HTTP response: {error}"))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        answer = self._answer
        if answer is not None:
            # Without a length the body reaches to the end of the connection.
            lasts = bool(answer.status) and not {"content-length", "transfer-encoding"} & answer.headers.keys()
            self._end(None if lasts and exc is None else DisconnectedError(str(exc or "server disconnected")))
        if not self.closed.done():
            self.closed.set_result(None)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status, fields, self._fields = self._parser.get_status_code(), self._fields, []
        if status >= 200 and self._answer is not None:
            self._answer.begin(status, fields)

    def on_body(self, body: bytes) -> None:
        if self._answer is not None and not self._answer.feed(body) and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._answer is None or not self._answer.status:
            return  # an interim answer
        keep = self._parser.should_keep_alive()
        self.resume()
        self._end()
        if keep:
            self._pool.release(self)
        elif self._transport is not None:
            self._transport.close()

    def _end(self, failure: HTTPError | None = None) -> None:
        if self._answer is not None:
            self._answer.end(failure)
            self._answer = None
