"""Connections to backends: kept for the next request, given up with their endpoint."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pybernetes.api.endpoints import Target
from pybernetes.ingress.decide import Forward
from pybernetes.ingress.server.backend_connection import BackendConnection, Place
from pybernetes.ingress.server.exchange import ATTEMPTS, Exchange, order
from pybernetes.ingress.server.upstream import Upstream
from pybernetes.ingress.table import Backend

if TYPE_CHECKING:
    from pybernetes.ingress.server.upstream2 import Upstream2

KEEP_SECONDS = 30.0
FRESH_SECONDS = 1.0
"""A request that must not be sent twice goes over a kept connection only if that was used this recently: the backend
may be about to close an older one."""
KEEP_CONNECTIONS = 64
"""Kept per endpoint."""


class NoBackendError(Exception):
    """No endpoint takes a connection."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Pool:
    """Hands out connections, the endpoints of a backend taking turns."""

    def __init__(self) -> None:
        self._idle: dict[Place, list[BackendConnection]] = {}
        self._turns: dict[Backend, Iterator[int]] = {}
        self._tls: dict[bool, ssl.SSLContext] = {}
        self.open: set[BackendConnection] = set()

    def targets(self, forward: Forward) -> list[Target]:
        """The endpoints, beginning with the one whose turn it is."""
        return order(forward.targets, next(self._turns.setdefault(forward.backend, itertools.count())))

    def kept(self, exchange: Exchange, forward: Forward) -> tuple[list[Target], BackendConnection | None]:
        """The targets in the order in which to try them, and an idle connection to the first, if there is one."""
        targets = self.targets(forward)
        idle = self._idle.get((targets[0], forward.options.backend_tls, forward.http2))
        now, repeatable = asyncio.get_running_loop().time(), exchange.may_repeat()
        while idle:
            upstream = idle.pop()
            age = now - upstream.idle_since
            if age < (KEEP_SECONDS if repeatable else FRESH_SECONDS):
                return targets, upstream
            upstream.close()
        return targets, None

    async def connect(self, exchange: Exchange, forward: Forward, targets: list[Target]) -> BackendConnection:
        """A new connection to the first target that takes one. Raises NoBackendError.

        Not many are waited for in vain: behind them waits a client.
        """
        failures, timed_out = list[str](), 0
        for target in targets:
            try:
                async with asyncio.timeout(forward.options.connect_seconds):
                    return await self._connect(exchange, forward, target)
            except TimeoutError:
                timed_out += 1
                failures.append(f"{target.address}:{target.port} does not answer")
                if timed_out == ATTEMPTS:
                    break
            except OSError as error:
                failures.append(f"{target.address}:{target.port}: {error.strerror or error}")
        said = f"no endpoint of service {forward.backend.name} takes connections: {'; '.join(failures[:5])}"
        raise NoBackendError(504 if timed_out else 502, said)

    async def _connect(self, exchange: Exchange, forward: Forward, target: Target) -> BackendConnection:
        secure, http2 = forward.options.backend_tls, forward.http2
        kind = _http2() if http2 else Upstream
        name = exchange.host.decode("latin-1").partition(":")[0] or target.address
        _, upstream = await asyncio.get_running_loop().create_connection(
            lambda: kind(self, (target, secure, http2)), target.address, target.port,
            ssl=self._context(http2) if secure else None, server_hostname=name if secure else None,
        )  # fmt: skip
        return upstream

    def _context(self, http2: bool) -> ssl.SSLContext:
        """Backends prove nothing: their certificates are those of pods (as nginx' proxy_ssl_verify is off)."""
        if http2 not in self._tls:
            made = self._tls[http2] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
            if http2:
                made.set_alpn_protocols(["h2"])
        return self._tls[http2]

    def release(self, upstream: BackendConnection) -> None:
        """Take a connection back whose exchange has ended well."""
        idle = self._idle.setdefault(upstream.place, [])
        if len(idle) >= KEEP_CONNECTIONS:
            upstream.close()
            return
        upstream.idle_since = asyncio.get_running_loop().time()
        idle.append(upstream)

    def forget(self, upstream: BackendConnection) -> None:
        """A connection has ended."""
        self.open.discard(upstream)
        self.forget_idle(upstream)

    def forget_idle(self, upstream: BackendConnection) -> None:
        """A connection takes no more exchanges."""
        idle = self._idle.get(upstream.place)
        if idle is not None and upstream in idle:
            idle.remove(upstream)

    def keep(self, targets: set[Target]) -> None:
        """Close the idle connections to endpoints that are none any more: before these close them themselves."""
        for place in [place for place in self._idle if place[0] not in targets]:
            for upstream in self._idle.pop(place):
                upstream.close()

    def close(self) -> None:
        for upstream in list(self.open):
            upstream.abort()


def _http2() -> type[Upstream2]:
    """Loaded with the first backend that speaks it."""
    from pybernetes.ingress.server.upstream2 import Upstream2

    return Upstream2
