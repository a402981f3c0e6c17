"""The streaming server: one-time tokens, upgrades, and the choice of protocol."""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from pybernetes.aio.tasks import Scope
from pybernetes.streaming import command, forward
from pybernetes.streaming.http import LIMIT, HeadError, read_head, refusal
from pybernetes.streaming.upgrade import Command, Offer, Ports, serve

log = logging.getLogger(__name__)

_TOKEN_SECONDS = 60.0
_MAX_OFFERS = 1000


class StreamingServer:
    """Streams that were offered, each to be taken once, within a minute."""

    def __init__(self, base: str, scope: Scope) -> None:
        self._base = base
        self._scope = scope
        self._offers: dict[str, Offer] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str, scope: Scope) -> "AsyncIterator[StreamingServer]":
        """Listen at `host:port`, or at the path of a unix socket (0600), while the block runs."""
        server = cls("", scope)
        if address.startswith("/"):
            Path(address).unlink(missing_ok=True)
            listener = await asyncio.start_unix_server(server._connected, address, limit=LIMIT)
            os.chmod(address, 0o600)
            server._base = f"unix://{address}:"
        else:
            host, _, port = address.rpartition(":")
            listener = await asyncio.start_server(server._connected, host, int(port), limit=LIMIT)
            server._base = f"http://{host}:{listener.sockets[0].getsockname()[1]}"
        try:
            yield server
        finally:
            listener.close()
            if address.startswith("/"):
                Path(address).unlink(missing_ok=True)

    def offer_command(self, verb: str, wanted: command.Wanted, session: command.Session) -> str:
        """The URL at which the session's streams can be taken."""
        return self._offer(verb, Command(wanted, session))

    def offer_ports(self, ports: list[int], connect: forward.Connect) -> str:
        """The URL at which connections to `ports` (any, if empty) can be made."""
        return self._offer("portforward", Ports(ports, connect))

    def _offer(self, verb: str, offer: Offer) -> str:
        while len(self._offers) >= _MAX_OFFERS:
            del self._offers[next(iter(self._offers))]
        token = secrets.token_urlsafe(24)
        self._offers[token] = offer
        asyncio.get_running_loop().call_later(_TOKEN_SECONDS, self._offers.pop, token, None)
        return f"{self._base}/{verb}/{token}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._scope.spawn(self._serve(reader, writer), "stream")
        await asyncio.wait((task,))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await read_head(reader)
            if head is None:
                return
            offer = self._offers.pop(head.path.rpartition("/")[2], None)
            if offer is None:
                writer.write(refusal("404 Not Found", "this stream was not offered, or was taken already"))
                return
            await serve(head, offer, reader, writer)
        except HeadError as error:
            writer.write(refusal("400 Bad Request", str(error)))
        except ConnectionError:
            return
        finally:
            with suppress(ConnectionError):
                await writer.drain()
            writer.close()
