"""The answer to an upgrade request: which protocol is spoken, and what serves the stream in it."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from pybernetes.streaming import command, forward
from pybernetes.streaming.duplex import Duplex, StreamDuplex, TunnelDuplex, WebSocket
from pybernetes.streaming.http import Head, refusal, switching
from pybernetes.wire import channels as wire
from pybernetes.wire.websocket import accept_key

_SPDY = "spdy/3.1"


class Command(Struct, frozen=True):
    """A command's streams, and the session that runs over them."""

    wanted: command.Wanted
    session: command.Session


class Ports(Struct, frozen=True):
    """Connections to `ports`; to any, if it is empty."""

    ports: list[int]
    connect: forward.Connect


Offer = Command | Ports
_Serve = Callable[[Duplex], Awaitable[None]]


async def serve(head: Head, offer: Offer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The whole stream, from the answer to the handshake on; a refusal if there is no protocol in common."""
    chosen = _choose(head, offer)
    if chosen is None:
        writer.write(refusal("400 Bad Request", "unable to upgrade: no protocol in common"))
        return
    answer, run = chosen
    writer.write(answer)
    await run(StreamDuplex(reader, writer))


def _choose(head: Head, offer: Offer) -> tuple[bytes, _Serve] | None:
    """The answer to the handshake, and what serves the stream then; None if there is no protocol in common."""
    upgrade = head.headers.get("upgrade", "").lower()
    if upgrade == "websocket" and "sec-websocket-key" in head.headers:
        return _choose_websocket(head, offer)
    if upgrade == _SPDY:
        return _choose_spdy(head, offer)
    return None


def _choose_websocket(head: Head, offer: Offer) -> tuple[bytes, _Serve] | None:
    offered = head.listed("sec-websocket-protocol")
    supported: tuple[str, ...] = wire.REMOTE_COMMAND
    if isinstance(offer, Ports):
        supported = (wire.PORT_FORWARD_TUNNEL, *wire.PORT_FORWARD)
    protocol = wire.negotiate(offered, supported)
    if protocol is None and offered:
        return None
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Accept": accept_key(head.headers["sec-websocket-key"])}
    if protocol is not None:
        headers["Sec-WebSocket-Protocol"] = protocol
    return switching(headers), _websocket_service(head, offer, protocol or "channel.k8s.io")


def _websocket_service(head: Head, offer: Offer, protocol: str) -> _Serve:
    codec = wire.Codec(protocol)
    if isinstance(offer, Command):
        return lambda duplex: command.serve_websocket(duplex, codec, offer.wanted, offer.session)
    if protocol == wire.PORT_FORWARD_TUNNEL:
        return lambda duplex: forward.serve_spdy(TunnelDuplex(WebSocket(duplex)), offer.connect)
    ports = offer.ports or _ports(head)
    return lambda duplex: forward.serve_websocket(duplex, codec, ports, offer.connect)


def _ports(head: Head) -> list[int]:
    texts = [part for value in head.query.get("port", []) + head.query.get("ports", []) for part in value.split(",")]
    return [port for text in texts if (port := wire.parse_port(text)) is not None]


def _choose_spdy(head: Head, offer: Offer) -> tuple[bytes, _Serve] | None:
    offered = head.listed("x-stream-protocol-version")
    supported = (wire.SPDY_PORT_FORWARD,) if isinstance(offer, Ports) else wire.SPDY_REMOTE_COMMAND
    protocol = wire.negotiate(offered, supported) if offered else supported[-1]
    if protocol is None:
        return None
    answer = switching({"Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": protocol})
    if isinstance(offer, Ports):
        return answer, lambda duplex: forward.serve_spdy(duplex, offer.connect)
    return answer, lambda duplex: command.serve_spdy(duplex, protocol, offer.wanted, offer.session)
