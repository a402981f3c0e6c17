"""Calls to a server on a unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from h2.exceptions import ProtocolError

from pybernetes.aio import unix_sockets
from pybernetes.aio.grpc.connection import Connection, Stream
from pybernetes.aio.grpc.errors import Code, GrpcError, Message
from pybernetes.aio.grpc.framing import Headers, encode_timeout, frame, status_of
from pybernetes.aio.grpc.goaway import Sieve
from pybernetes.aio.grpc.inbox import Inbox

R = TypeVar("R", bound=Message)

CONNECT_SECONDS = 10.0


class Channel:
    """One server. It is connected to with the first call, and again with the next one after it has been away.

    Every call raises GrpcError; a cancelled one tells the server so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: ClientConnection | None = None
        self._connecting = asyncio.Lock()

    async def call(self, method: str, request: Message, answer: type[R], seconds: float | None = None) -> R:
        """One answer to one request, within `seconds`. `method`: "/package.Service/Method"."""
        with _deadline():
            async with asyncio.timeout(seconds), self._open(method, request, seconds) as inbox:
                message = await inbox.take()
                if message is None or await inbox.take() is not None:
                    raise GrpcError(
                        Code.INTERNAL, "cardinality violation: expected <EOF> for non server-streaming RPCs"
                    )
                return _decoded(answer, message)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def stream(self, method: str, request: Message, answer: type[R]) -> AsyncIterator[AsyncIterator[R]]:
        """The answers to one request, for as long as the block lasts; they end where the server ends them well."""
        async with self._open(method, request, None) as inbox:

            async def answers() -> AsyncIterator[R]:
                while (message := await inbox.take()) is not None:
                    yield _decoded(answer, message)

            yield answers()

    async def connect(self) -> asyncio.Future[None]:
        """Connect now, if need be; the future is done once that connection is lost. Raises GrpcError."""
        return (await self._connected()).closed

    @asynccontextmanager
    async def _open(self, method: str, request: Message, seconds: float | None) -> AsyncIterator[Inbox]:
        connection = await self._connected()
        stream = connection.begin()
        try:
            connection.frames.send_headers(stream.number, _headers(method, seconds))
            stream.send(frame(request.encode()))
            stream.end()
            yield stream.inbox
        except ProtocolError as error:  # more calls at once than the server takes
            raise GrpcError(Code.UNAVAILABLE, str(error)) from error
        finally:
            stream.reset()
            connection.done(stream)

    async def _connected(self) -> ClientConnection:
        async with self._connecting:
            known = self._connection
            if known is None or not known.is_open or known.is_leaving:
                known = self._connection = await self._connect()
            return known

    async def _connect(self) -> ClientConnection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                made = await unix_sockets.connect(self.path)
                loop = asyncio.get_running_loop()
                return (await loop.create_unix_connection(ClientConnection, sock=made))[1]
        except (OSError, TimeoutError) as error:
            why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "i/o timeout"
            dialing = f"dial unix {self.path}: connect: {why}"
            raise GrpcError(
                Code.UNAVAILABLE, f'connection error: desc = "transport: Error while dialing: {dialing}"'
            ) from error

    def close(self) -> None:
        """Calls under way end as UNAVAILABLE. A later call connects again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class ClientConnection(Connection):
    """`is_leaving` says that the server takes no more calls on it."""

    def __init__(self) -> None:
        super().__init__(client_side=True)
        self.is_leaving = False
        self._sieve = Sieve()

    def read(self, data: bytes) -> None:
        for part in self._sieve.feed(data):
            if isinstance(part, bytes):
                super().read(part)
            else:
                self._leave(part)

    def _leave(self, last: int) -> None:
        """What the server has begun with it answers; the calls behind it has not looked at."""
        self.is_leaving = True
        for number in [number for number in self.streams if number > last]:
            self.streams.pop(number).broken(GrpcError(Code.UNAVAILABLE, "the connection is draining"))
        self._close_if_done()

    def begin(self) -> ClientStream:
        stream = ClientStream(self, self.frames.get_next_available_stream_id())
        self.streams[stream.number] = stream
        return stream

    def done(self, stream: Stream) -> None:
        self.streams.pop(stream.number, None)
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self.is_leaving and not self.streams:
            self.close()


class ClientStream(Stream):
    """A call that is being answered."""

    _last: Headers = ()

    def headed(self, headers: Headers) -> None:
        self._last = [*self._last, *headers]

    def ended(self) -> None:
        self.inbox.finish(status_of(self._last))


@contextmanager
def _deadline() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise GrpcError(Code.DEADLINE_EXCEEDED, "context deadline exceeded") from error


def _headers(method: str, seconds: float | None) -> list[tuple[str, str]]:
    timeout = [("grpc-timeout", encode_timeout(seconds))] if seconds is not None else []
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "pybernetes"),
        *timeout,
    ]


def _decoded(kind: type[R], data: bytes) -> R:
    try:
        return kind.decode(data)
    except ValueError as error:
        raise GrpcError(Code.INTERNAL, f"grpc: error unmarshalling request: {error}") from error
