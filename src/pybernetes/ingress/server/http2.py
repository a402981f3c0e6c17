"""A client's connection that speaks HTTP/2 (RFC 9113): a stream for each request, all at once."""

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

from pybernetes.ingress.server.gate import Gate
from pybernetes.ingress.server.message import Client
from pybernetes.ingress.server.stream import Stream

HIGH_WATER = 1 << 20
IDLE_SECONDS = 75.0
RESETS = 100
"""Requests that a client may take back beyond those it lets be answered (CVE-2023-44487)."""


class Http2(asyncio.Protocol):
    """Reads and writes frames; what they mean is the streams' business."""

    def __init__(self, gate: Gate, client: Client) -> None:
        self.gate, self.client = gate, client
        self.frames = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.streams: dict[int, Stream] = {}
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._corks = self._resets = 0
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self.is_slow = False
        self._heard = asyncio.get_running_loop().time()

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self.gate.fronts.add(self)
        self.frames.initiate_connection()
        self.flush()
        self._check_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        self.gate.fronts.discard(self)
        for stream in list(self.streams.values()):
            stream.gone()
        self.streams.clear()
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._heard = asyncio.get_running_loop().time()
        self.cork()
        try:
            for event in self.frames.receive_data(data):
                if (react := REACTIONS.get(type(event))) is not None:
                    react(self, event)
        except ProtocolError:
            self.flush()
            self.close()
        finally:
            self.uncork()

    def pause_writing(self) -> None:
        """Nor is more heard of a client that takes nothing: each PING would be one more answer to keep."""
        self.is_slow = True
        self._patience = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.abort)
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self.is_slow = False
        if self._patience is not None:
            self._patience.cancel()
        if self._transport is not None:
            self._transport.resume_reading()
        for stream in list(self.streams.values()):
            stream.pump()

    # Frames

    def requested(self, event: happened.RequestReceived) -> None:
        stream = self.streams[event.stream_id] = Stream(self, event.stream_id)
        stream.begin(event.headers, ends=event.stream_ended is not None)

    def received(self, event: happened.DataReceived) -> None:
        size = event.flow_controlled_length or 0
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self.frames.acknowledge_received_data(size, event.stream_id)
        else:
            stream.arrived(event.data or b"", size)

    def ended(self, event: happened.StreamEnded) -> None:
        if (stream := self.streams.get(event.stream_id)) is not None:
            stream.complete()

    def taken_back(self, event: happened.StreamReset) -> None:
        stream = self.streams.pop(event.stream_id, None)
        if stream is None or stream.is_over:
            return  # it has its answer
        stream.gone()
        self._resets += 1
        if self._resets > RESETS:
            self.frames.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            self.flush()
            self.close()

    def widened(self, event: happened.WindowUpdated | happened.RemoteSettingsChanged) -> None:
        for stream in list(self.streams.values()):
            stream.pump()

    def terminated(self, event: happened.ConnectionTerminated) -> None:
        self.close_if_idle()

    # What streams need

    def cork(self) -> None:
        self._corks += 1

    def uncork(self) -> None:
        self._corks -= 1
        self.flush()

    def flush(self) -> None:
        """Write what has been framed, unless more is to come at once."""
        if self._corks == 0 and self._transport is not None and (data := self.frames.data_to_send()):
            self._transport.write(data)

    def done(self, stream_id: int) -> None:
        """A stream has been answered, or has been given up."""
        self.streams.pop(stream_id, None)
        self._resets = max(0, self._resets - 1)
        if self.gate.draining:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        if not self.streams:
            self.close()

    def close(self) -> None:
        if self._transport is None:
            return
        with suppress(ProtocolError):  # it has been closed by them
            self.frames.close_connection()
        self._transport.write(self.frames.data_to_send())
        self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _check_idle(self) -> None:
        """Close a connection whose client is silent although it is its turn to speak."""
        loop = asyncio.get_running_loop()
        busy = any(stream.is_busy for stream in self.streams.values())
        left = IDLE_SECONDS if busy else self._heard + IDLE_SECONDS - loop.time()
        if left <= 0:
            self.close()
        else:
            self._timer = loop.call_later(left, self._check_idle)


REACTIONS: dict[type, Callable[[Http2, Any], None]] = {
    happened.RequestReceived: Http2.requested,
    happened.DataReceived: Http2.received,
    happened.StreamEnded: Http2.ended,
    happened.StreamReset: Http2.taken_back,
    happened.WindowUpdated: Http2.widened,
    happened.RemoteSettingsChanged: Http2.widened,
    happened.ConnectionTerminated: Http2.terminated,
}
