"""A connection to a backend that speaks HTTP/2, as gRPC does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from h2 import events as happened
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from pybernetes.ingress.server.backend_connection import BackendConnection, Keeper, Place
from pybernetes.ingress.server.exchange import Exchange
from pybernetes.ingress.server.message import Headers

HIGH_WATER = 256 << 10


class Upstream2(BackendConnection):
    """Bytes of an answer count as read once the client has taken them."""

    def __init__(self, pool: Keeper, place: Place) -> None:
        super().__init__(pool, place)
        self._frames = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._number = 0
        self._out = bytearray()
        self._ends = self._held = self._paused = self._leaves = False
        self._unread = 0
        self._trailers: Headers = ()

    # The exchange's side

    def take(self, exchange: Exchange) -> None:
        self._begin(exchange)
        self._number, self._ends, self._trailers = self._frames.get_next_available_stream_id(), False, ()
        self._out.clear()
        self._frames.send_headers(self._number, exchange.fields(exchange.side.client, self.place[1]))
        while exchange.waiting:
            self.send_body(exchange.waiting.popleft())
        if exchange.complete:
            self.end_body()
        self._flush()

    def send_body(self, data: bytes) -> None:
        self._out += data
        self._pump()

    def end_body(self) -> None:
        exchange = self._exchange
        if exchange is None or exchange.forward is None:
            return
        self._ends = True
        self._pump()
        self._start_timer(exchange)

    def give_up(self) -> None:
        self._exchange = None
        with suppress(ProtocolError):
            self._frames.reset_stream(self._number, ErrorCodes.CANCEL)
            self._flush()
        self.close()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._acknowledge()

    def send_raw(self, data: bytes) -> None:
        """There are no upgrades in HTTP/2."""

    def end_raw(self) -> None:
        """See `send_raw`."""

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._frames.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        side = self._exchange.side if self._exchange is not None else None
        if side is not None:
            side.cork()
        try:
            for event in self._frames.receive_data(data):
                if (react := REACTIONS.get(type(event))) is not None and self._concerns(event):
                    react(self, event)
        except ProtocolError as error:
            self._fail(f"the answer of service {self._backend_name()} is no HTTP/2: {error}")
        finally:
            self._flush()
            if side is not None:
                side.uncork()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._stop_timer()
        self._pool.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.side.broken_off(exchange, str(exc or "connection closed"))

    def pause_writing(self) -> None:
        self._hold(True)

    def resume_writing(self) -> None:
        self._hold(len(self._out) > HIGH_WATER)

    # Frames

    def _concerns(self, event: happened.Event) -> bool:
        """Frames of streams that are over concern nobody."""
        number = getattr(event, "stream_id", None)
        return not number or (number == self._number and self._exchange is not None)

    def answered(self, event: happened.ResponseReceived) -> None:
        exchange = self._exchange
        assert exchange is not None
        self._stop_timer()
        status, headers = _split(event.headers)
        exchange.started = True
        has_body = exchange.method != b"HEAD" and event.stream_ended is None
        exchange.side.begin_answer(exchange, status, b"OK", headers, has_body=has_body)

    def received(self, event: happened.DataReceived) -> None:
        exchange = self._exchange
        assert exchange is not None
        self._unread += event.flow_controlled_length or 0
        exchange.side.send_part(exchange, event.data or b"")
        if not self._paused:
            self._acknowledge()

    def trailed(self, event: happened.TrailersReceived) -> None:
        self._trailers = event.headers

    def ended(self, event: happened.StreamEnded) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self._paused = False
        self._acknowledge()
        exchange.side.end_answer(exchange, self._trailers)
        exchange.upstream = None
        if exchange.complete and not self._leaves:
            self._pool.release(self)
        else:
            self.close()
        exchange.side.answered(exchange, keep=True)

    def broken(self, event: happened.StreamReset) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self.close()
        exchange.side.broken_off(exchange, f"stream reset with code {event.error_code}")

    def widened(self, event: happened.WindowUpdated | happened.RemoteSettingsChanged) -> None:
        self._pump()

    def leaves(self, event: happened.ConnectionTerminated) -> None:
        """It answers what it has, and takes nothing more."""
        self._leaves = True
        self._pool.forget_idle(self)
        if self._exchange is None:
            self.close()

    def _pump(self) -> None:
        """As much of the request as the backend's windows take."""
        if self._exchange is None:
            return
        while self._out and (size := self._room()) > 0:
            self._frames.send_data(self._number, bytes(self._out[:size]))
            del self._out[:size]
        if self._ends and not self._out:
            self._ends = False
            self._frames.end_stream(self._number)
        self._hold(len(self._out) > HIGH_WATER)
        self._flush()

    def _room(self) -> int:
        frames = self._frames
        window: int = frames.local_flow_control_window(self._number)
        room: int = min(window, frames.max_outbound_frame_size, len(self._out))
        return room

    def _hold(self, held: bool) -> None:
        if held != self._held and self._exchange is not None:
            self._held = held
            self._exchange.side.hold(backend=held)

    def _acknowledge(self) -> None:
        unread, self._unread = self._unread, 0
        if unread and self._transport is not None:
            self._frames.acknowledge_received_data(unread, self._number)
            self._flush()

    def _flush(self) -> None:
        if self._transport is not None and (data := self._frames.data_to_send()):
            self._transport.write(data)


def _split(headers: Headers) -> tuple[int, Headers]:
    status = next((value for name, value in headers if name == b":status"), b"502")
    return int(status), [each for each in headers if not each[0].startswith(b":")]


REACTIONS: dict[type, Callable[[Upstream2, Any], None]] = {
    happened.ResponseReceived: Upstream2.answered,
    happened.DataReceived: Upstream2.received,
    happened.TrailersReceived: Upstream2.trailed,
    happened.StreamEnded: Upstream2.ended,
    happened.StreamReset: Upstream2.broken,
    happened.WindowUpdated: Upstream2.widened,
    happened.RemoteSettingsChanged: Upstream2.widened,
    happened.ConnectionTerminated: Upstream2.leaves,
}
