"""What connections to backends have in common, whatever is spoken there: the exchange, its time limit, how it fails."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol, TypeAlias, cast

from pybernetes.api.endpoints import Target
from pybernetes.ingress.server.exchange import Exchange

Place: TypeAlias = tuple[Target, bool, bool]
"""An endpoint, whether it speaks TLS, and whether HTTP/2."""


class Keeper(Protocol):
    """Whose the connections are."""

    open: set[BackendConnection]

    def release(self, upstream: BackendConnection) -> None:
        """Take a connection back whose exchange has ended well."""
        ...

    def forget(self, upstream: BackendConnection) -> None:
        """A connection has ended."""
        ...

    def forget_idle(self, upstream: BackendConnection) -> None:
        """A connection takes no more exchanges."""
        ...


class BackendConnection(asyncio.Protocol, ABC):
    """Takes one exchange at a time, and passes its answer on to the client as it comes."""

    def __init__(self, pool: Keeper, place: Place) -> None:
        self._pool, self.place = pool, place
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None

    @abstractmethod
    def take(self, exchange: Exchange) -> None:
        """Send the request, as far as it has arrived, and wait for the answer."""

    @abstractmethod
    def send_body(self, data: bytes) -> None: ...

    @abstractmethod
    def end_body(self) -> None: ...

    @abstractmethod
    def give_up(self) -> None: ...

    @abstractmethod
    def pause_reading(self) -> None: ...

    @abstractmethod
    def resume_reading(self) -> None: ...

    @abstractmethod
    def send_raw(self, data: bytes) -> None: ...

    @abstractmethod
    def end_raw(self) -> None: ...

    def close(self) -> None:
        self._stop_timer()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pool.open.add(self)

    def _begin(self, exchange: Exchange) -> None:
        self._exchange, exchange.upstream = exchange, self
        exchange.attempts += 1

    def _start_timer(self, exchange: Exchange) -> None:
        if exchange.forward is not None and not exchange.started:
            seconds = exchange.forward.options.answer_seconds
            self._timer = asyncio.get_running_loop().call_later(seconds, self._out_of_time, seconds)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _out_of_time(self, seconds: float) -> None:
        self._fail(f"service {self._backend_name()} has not answered within {seconds:g} s", status=504)

    def _fail(self, message: str, status: int = 502) -> None:
        exchange, self._exchange = self._exchange, None
        self.abort()
        if exchange is not None:
            exchange.upstream = None
            exchange.side.failed(exchange, status, message)

    def _backend_name(self) -> str:
        exchange = self._exchange
        return exchange.forward.backend.name if exchange is not None and exchange.forward is not None else ""
