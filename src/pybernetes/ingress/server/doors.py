"""Where clients knock: the ports on each address, or spare ones where somebody else has them."""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from collections.abc import Sequence

from msgspec import Struct

from pybernetes.ingress.server.front import Front
from pybernetes.ingress.server.gate import Gate

log = logging.getLogger(__name__)

SPARES = 10
"""Spare ports that are tried, counted from the first."""


class Door(Struct, frozen=True):
    """A port of an address, and the port that is tried when it is taken."""

    address: str
    port: int
    spare: int
    secure: bool

    def url(self, port: int) -> str:
        scheme, usual = ("https", 443) if self.secure else ("http", 80)
        return f"{scheme}://{self.address}" + ("" if port == usual else f":{port}")


class Doors:
    """Listening sockets. Safe to `open` again and again: what is open stays, what was taken is tried anew."""

    def __init__(self, gate: Gate, tls: ssl.SSLContext, doors: Sequence[Door]) -> None:
        self._gate, self._tls, self._doors = gate, tls, doors
        self._servers: dict[Door, tuple[int, asyncio.Server]] = {}

    async def open(self) -> bool:
        """Whether something has changed."""
        before = self.ports()
        for door in self._doors:
            if self.ports().get(door) != door.port:
                await self._open(door)
        self._gate.secure_port = next((port for door, port in self.ports().items() if door.secure), 443)
        return self.ports() != before

    def ports(self) -> dict[Door, int]:
        """The port at which each door can be entered."""
        return {door: port for door, (port, _) in self._servers.items()}

    def taken(self) -> list[str]:
        """A sentence for each door whose port somebody else has."""
        ports = self.ports()
        return [self._told(door, ports) for door in self._doors if ports.get(door) != door.port]

    def urls(self) -> list[str]:
        return [door.url(port) for door, port in self.ports().items()]

    def close(self) -> None:
        """Nobody comes in any more; who is in stays."""
        for _, server in self._servers.values():
            server.close()

    async def _open(self, door: Door) -> None:
        has_spare = door in self._servers
        tried = [door.port] if has_spare else [door.port, *range(door.spare, door.spare + SPARES)]
        for port in tried:
            try:
                server = await self._listen(door, port)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
                    raise
                log.debug("cannot listen address=%s port=%d error=%s", door.address, port, error)
                continue
            if has_spare:
                self._servers[door][1].close()
            self._servers[door] = server.sockets[0].getsockname()[1], server
            log.info("listening address=%s port=%d", door.address, port)
            return

    async def _listen(self, door: Door, port: int) -> asyncio.Server:
        loop, tls = asyncio.get_running_loop(), self._tls if door.secure else None
        return await loop.create_server(lambda: Front(self._gate), door.address, port, ssl=tls, backlog=1024)

    def _told(self, door: Door, ports: dict[Door, int]) -> str:
        said = f"port {door.port} of {door.address} is taken by another program"
        spare = ports.get(door)
        if spare is not None:
            return f"{said}; use {door.url(spare)}"
        others = [each.url(port) for each, port in ports.items() if each.secure == door.secure]
        return f"{said}; use {others[0]}" if others else said
