"""One HTTP/2 connection that carries calls, of either side: frames, windows, and which stream they concern."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from h2 import events as happened
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from pybernetes.aio.grpc.errors import Code, GrpcError
from pybernetes.aio.grpc.framing import Headers
from pybernetes.aio.grpc.inbox import Inbox

_REASONS = {
    ErrorCodes.REFUSED_STREAM: Code.UNAVAILABLE,
    ErrorCodes.CANCEL: Code.CANCELLED,
    ErrorCodes.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
    ErrorCodes.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
}
"""What a stream's reset means for its call; all else is INTERNAL."""


HIGH_WATER = 256 << 10
"""Bytes that may wait for the peer's windows before who sends them has to wait, too."""


class Stream:
    """One call. What is sent waits for the peer's windows; what comes is in `inbox`."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection, self.number = connection, number
        self.inbox = Inbox(lambda size: connection.acknowledge(size, number))
        self._out = bytearray()
        self._ends = self._is_closed = False
        self._trailers: Headers | None = None
        self._drained = asyncio.Event()

    def send(self, data: bytes) -> None:
        self._out += data
        self.pump()

    async def drain(self) -> None:
        """Until the peer has taken most of what was sent, or takes nothing more."""
        while len(self._out) > HIGH_WATER and not self._is_closed:
            self._drained.clear()
            await self._drained.wait()

    def end(self, trailers: Headers | None = None) -> None:
        """Nothing more is sent, but for these headers."""
        self._ends, self._trailers = True, trailers
        self.pump()

    def reset(self, code: ErrorCodes = ErrorCodes.CANCEL) -> None:
        """Give the call up, unless it has ended on both sides."""
        if not self._is_closed or not self.inbox.has_ended:
            self._is_closed = True
            self._connection.reset(self.number, code)
        self._drained.set()
        self.inbox.close()

    def pump(self) -> None:
        """Send as much as the windows take."""
        frames = self._connection.frames
        if self._is_closed:
            return
        with suppress(ProtocolError):  # the peer has reset it this moment
            while self._out and (size := self._room()) > 0:
                frames.send_data(self.number, bytes(self._out[:size]))
                del self._out[:size]
            if self._ends and not self._out:
                self._is_closed = True
                if self._trailers is None:
                    frames.end_stream(self.number)
                else:
                    frames.send_headers(self.number, list(self._trailers), end_stream=True)
                self._connection.sent(self)
        if len(self._out) <= HIGH_WATER:
            self._drained.set()
        self._connection.flush()

    def _room(self) -> int:
        frames = self._connection.frames
        window: int = frames.local_flow_control_window(self.number)
        return min(window, int(frames.max_outbound_frame_size), len(self._out))

    # What the peer does

    def received(self, data: bytes, size: int) -> None:
        try:
            self.inbox.feed(data, size)
        except GrpcError as error:
            self.inbox.finish(error)
            self.reset()

    def headed(self, headers: Headers) -> None:
        """Headers or trailers have come."""

    def ended(self) -> None:
        """The peer sends nothing more."""
        self.inbox.finish()

    def broken(self, error: GrpcError) -> None:
        """The peer, or the connection, has given the call up."""
        self._is_closed = True
        self._drained.set()
        self.inbox.finish(error)


class Connection(asyncio.Protocol):
    """`streams` are those under way. Subclasses make them."""

    def __init__(self, *, client_side: bool) -> None:
        self.frames = H2Connection(H2Configuration(client_side=client_side, header_encoding=None))
        self.streams: dict[int, Stream] = {}
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._is_closed:  # before it was open
            transport.close()
            return
        self._transport = cast(asyncio.Transport, transport)
        self.frames.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            self.read(data)
        except ProtocolError as error:
            self._lose(f"connection error: {error}")
            self.close()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lose(f"error reading from server: {exc or 'EOF'}")
        if not self.closed.done():
            self.closed.set_result(None)

    def _lose(self, why: str) -> None:
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.broken(GrpcError(Code.UNAVAILABLE, why))

    def read(self, data: bytes) -> None:
        """React to what has come. Raises ProtocolError."""
        for event in self.frames.receive_data(data):
            if (react := _REACTIONS.get(type(event))) is not None:
                react(self, event)

    # Frames

    def requested(self, event: happened.RequestReceived) -> None:
        """A peer calls."""

    def headed(self, event: happened.ResponseReceived | happened.TrailersReceived) -> None:
        if stream := self.streams.get(event.stream_id):
            stream.headed(event.headers)

    def received(self, event: happened.DataReceived) -> None:
        size = event.flow_controlled_length or 0
        if stream := self.streams.get(event.stream_id):
            stream.received(event.data or b"", size)
        else:
            self.acknowledge(size, event.stream_id)

    def ended(self, event: happened.StreamEnded) -> None:
        if stream := self.streams.get(event.stream_id):
            stream.ended()

    def broken(self, event: happened.StreamReset) -> None:
        if stream := self.streams.pop(event.stream_id, None):
            given = event.error_code
            code, name = (
                (_REASONS.get(given, Code.INTERNAL), given.name)
                if isinstance(given, ErrorCodes)
                else (Code.INTERNAL, given)
            )
            stream.broken(GrpcError(code, f"stream terminated by RST_STREAM with error code: {name}"))

    def widened(self, event: happened.WindowUpdated | happened.RemoteSettingsChanged) -> None:
        for stream in list(self.streams.values()):
            stream.pump()

    # What streams need

    def sent(self, stream: Stream) -> None:
        """All of a stream is out."""

    def flush(self) -> None:
        if self._transport is not None and (data := self.frames.data_to_send()):
            self._transport.write(data)

    def acknowledge(self, size: int, number: int) -> None:
        if size and self.is_open:
            with suppress(ProtocolError):
                self.frames.acknowledge_received_data(size, number)
            self.flush()

    def reset(self, number: int, code: ErrorCodes) -> None:
        self.streams.pop(number, None)
        if self.is_open:
            with suppress(ProtocolError):
                self.frames.reset_stream(number, code)
            self.flush()

    def close(self) -> None:
        """Safe to repeat; `closed` is done once nothing is left."""
        self._is_closed = True
        transport, self._transport = self._transport, None
        if transport is not None:
            with suppress(ProtocolError):
                self.frames.close_connection()
            transport.write(self.frames.data_to_send())
            transport.close()


_REACTIONS: dict[type, Callable[[Connection, Any], None]] = {
    happened.RequestReceived: lambda connection, event: connection.requested(event),
    happened.ResponseReceived: Connection.headed,
    happened.TrailersReceived: Connection.headed,
    happened.DataReceived: Connection.received,
    happened.StreamEnded: Connection.ended,
    happened.StreamReset: Connection.broken,
    happened.WindowUpdated: Connection.widened,
    happened.RemoteSettingsChanged: Connection.widened,
}
