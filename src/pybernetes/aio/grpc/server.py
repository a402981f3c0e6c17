"""A server of gRPC services."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from h2 import events as happened
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from pybernetes.aio.grpc.connection import Connection, Stream
from pybernetes.aio.grpc.errors import Code, GrpcError, Message
from pybernetes.aio.grpc.framing import Headers, decode_timeout, encode_message, frame
from pybernetes.aio.tasks import Scope

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unary:
    """A method with one answer. `handle` may raise GrpcError; it is cancelled when the caller has left."""

    request: type[Message]
    handle: Callable[[Any], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Streaming:
    """A method whose answers `handle` yields."""

    request: type[Message]
    handle: Callable[[Any], AsyncIterator[Message]]


Methods = Mapping[str, Unary | Streaming]
"""By path: "/package.Service/Method"."""


class ServerConnection(Connection):
    """One caller's connection; calls are tasks of `scope`. To be made by `asyncio`'s servers."""

    def __init__(self, methods: Methods, scope: Scope) -> None:
        super().__init__(client_side=False)
        self._methods, self._scope = methods, scope

    def requested(self, event: happened.RequestReceived) -> None:
        headers = dict(event.headers)
        if not headers.get(b"content-type", b"").startswith(b"application/grpc"):
            self.frames.send_headers(event.stream_id, [(":status", "415")], end_stream=True)
            return
        stream = self.streams[event.stream_id] = ServerStream(self, event.stream_id)
        path = headers.get(b":path", b"").decode("latin-1")
        seconds = decode_timeout(headers.get(b"grpc-timeout", b"").decode("latin-1"))
        stream.task = self._scope.spawn(self._serve(stream, path, seconds), path)

    async def _serve(self, stream: ServerStream, path: str, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._answer(stream, path)
            stream.conclude(Code.OK)
        except GrpcError as error:
            stream.conclude(error.code, error.message)
        except TimeoutError:
            stream.conclude(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
        except Exception as error:
            log.exception("call failed method=%s", path)
            stream.conclude(Code.UNKNOWN, str(error))
        finally:
            stream.inbox.close()

    def sent(self, stream: Stream) -> None:
        self.streams.pop(stream.number, None)

    async def _answer(self, stream: ServerStream, path: str) -> None:
        method = self._methods.get(path)
        if method is None:
            raise GrpcError(Code.UNIMPLEMENTED, self._unknown(path))
        message = await stream.inbox.take()
        if message is None:
            raise GrpcError(Code.INTERNAL, "cardinality violation: received no request message")
        try:
            request = method.request.decode(message)
        except ValueError as error:
            raise GrpcError(Code.INTERNAL, f"grpc: error unmarshalling request: {error}") from error
        if isinstance(method, Unary):
            stream.answer(await method.handle(request))
            return
        async for each in method.handle(request):
            stream.answer(each)
            await stream.drain()

    def _unknown(self, path: str) -> str:
        _, service, method = [*path.split("/", 2), "", ""][:3]
        if any(known.startswith(f"/{service}/") for known in self._methods):
            return f"unknown method {method} for service {service}"
        return f"unknown service {service}"


class ServerStream(Stream):
    """A call that is being answered."""

    task: asyncio.Task[Any] | None = None
    _is_begun = False

    def answer(self, message: Message) -> None:
        self._begin()
        self.send(frame(message.encode()))

    def conclude(self, code: int, message: str = "") -> None:
        """The status at the end; after it the caller may not go on sending."""
        self._begin()
        text = [(b"grpc-message", encode_message(message))] if message else []
        self.end([(b"grpc-status", b"%d" % code), *text])
        if not self.inbox.has_ended:
            self.reset(ErrorCodes.NO_ERROR)

    def broken(self, error: GrpcError) -> None:
        super().broken(error)
        if self.task is not None:
            self.task.cancel()

    def _begin(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            head: Headers = [(b":status", b"200"), (b"content-type", b"application/grpc")]
            try:
                self._connection.frames.send_headers(self.number, list(head))
            except ProtocolError:
                self._is_closed = True  # the caller has left this moment
