"""The streaming server: one-time tokens, upgrades, and the choice of protocol."""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pybernetes.aio.tasks import Scope
from pybernetes.runtime.streaming import command, forward
from pybernetes.runtime.streaming.duplex import Duplex, StreamDuplex, TunnelDuplex, WebSocket
from pybernetes.runtime.streaming.http import LIMIT, Head, HeadError, read_head, refusal, switching
from pybernetes.wire import channels as wire
from pybernetes.wire.websocket import accept_key

log = logging.getLogger(__name__)

_TOKEN_SECONDS = 60.0
_MAX_OFFERS = 1000
_SPDY = "spdy/3.1"


@dataclass(frozen=True, slots=True)
class _Command:
    wanted: command.Wanted
    session: command.Session


@dataclass(frozen=True, slots=True)
class _Ports:
    ports: list[int]
    connect: forward.Connect


_Offer = _Command | _Ports
_Serve = Callable[[Duplex], Awaitable[None]]


class StreamingServer:
    """Streams that were offered, each to be taken once, within a minute."""

    def __init__(self, base: str, scope: Scope) -> None:
        self._base = base
        self._scope = scope
        self._offers: dict[str, _Offer] = {}

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
        return self._offer(verb, _Command(wanted, session))

    def offer_ports(self, ports: list[int], connect: forward.Connect) -> str:
        """The URL at which connections to `ports` (any, if empty) can be made."""
        return self._offer("portforward", _Ports(ports, connect))

    def _offer(self, verb: str, offer: _Offer) -> str:
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
            chosen = _choose(head, offer)
            if chosen is None:
                writer.write(refusal("400 Bad Request", "unable to upgrade: no protocol in common"))
                return
            answer, serve = chosen
            writer.write(answer)
            await serve(StreamDuplex(reader, writer))
        except HeadError as error:
            writer.write(refusal("400 Bad Request", str(error)))
        except ConnectionError:
            return
        finally:
            with suppress(ConnectionError):
                await writer.drain()
            writer.close()


def _choose(head: Head, offer: _Offer) -> tuple[bytes, _Serve] | None:
    """The answer to the handshake, and what serves the stream then; None if there is no protocol in common."""
    upgrade = head.headers.get("upgrade", "").lower()
    if upgrade == "websocket" and "sec-websocket-key" in head.headers:
        return _choose_websocket(head, offer)
    if upgrade == _SPDY:
        return _choose_spdy(head, offer)
    return None


def _choose_websocket(head: Head, offer: _Offer) -> tuple[bytes, _Serve] | None:
    offered = head.listed("sec-websocket-protocol")
    supported: tuple[str, ...] = wire.REMOTE_COMMAND
    if isinstance(offer, _Ports):
        supported = (wire.PORT_FORWARD_TUNNEL, *wire.PORT_FORWARD)
    protocol = wire.negotiate(offered, supported)
    if protocol is None and offered:
        return None
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Accept": accept_key(head.headers["sec-websocket-key"])}
    if protocol is not None:
        headers["Sec-WebSocket-Protocol"] = protocol
    return switching(headers), _websocket_service(head, offer, protocol or "channel.k8s.io")


def _websocket_service(head: Head, offer: _Offer, protocol: str) -> _Serve:
    codec = wire.Codec(protocol)
    if isinstance(offer, _Command):
        return lambda duplex: command.serve_websocket(duplex, codec, offer.wanted, offer.session)
    if protocol == wire.PORT_FORWARD_TUNNEL:
        return lambda duplex: forward.serve_spdy(TunnelDuplex(WebSocket(duplex)), offer.connect)
    ports = offer.ports or _ports(head)
    return lambda duplex: forward.serve_websocket(duplex, codec, ports, offer.connect)


def _ports(head: Head) -> list[int]:
    texts = [part for value in head.query.get("port", []) + head.query.get("ports", []) for part in value.split(",")]
    return [int(text) for text in texts if text.isdecimal() and 0 < int(text) < 1 << 16]


def _choose_spdy(head: Head, offer: _Offer) -> tuple[bytes, _Serve] | None:
    offered = head.listed("x-stream-protocol-version")
    supported = (wire.SPDY_PORT_FORWARD,) if isinstance(offer, _Ports) else wire.SPDY_REMOTE_COMMAND
    protocol = wire.negotiate(offered, supported) if offered else supported[-1]
    if protocol is None:
        return None
    answer = switching({"Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": protocol})
    if isinstance(offer, _Ports):
        return answer, lambda duplex: forward.serve_spdy(duplex, offer.connect)
    return answer, lambda duplex: command.serve_spdy(duplex, protocol, offer.wanted, offer.session)
