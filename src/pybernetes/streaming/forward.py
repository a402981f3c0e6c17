"""Port-forward: each connection of the client becomes a connection to a port inside the sandbox."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.streaming.channel import Channel
from pybernetes.streaming.duplex import Duplex, WebSocket
from pybernetes.streaming.spdy import MAX_STREAMS, RefusedStreamError, SpdyChannels
from pybernetes.streaming.websocket import WebSocketChannels
from pybernetes.wire import channels as wire

_GRACE_SECONDS = 1.0


class ForwardError(Exception):
    """The port cannot be reached; the message is the client's to read."""


Connect = Callable[[int], Awaitable[socket.socket]]
"""A connection to a port inside the sandbox. Raises ForwardError with the cause."""


async def serve_spdy(duplex: Duplex, connect: Connect) -> None:
    """Streams come in pairs with the same request id: first where errors go, then the data."""
    pairs: dict[str, dict[str, Channel]] = {}
    async with open_scope("port-forward") as scope:

        async def take(headers: dict[str, str], channel: Channel) -> None:
            kind, port = headers.get("streamtype", ""), wire.parse_port(headers.get("port", ""))
            if port is None or kind not in ("data", "error"):
                raise RefusedStreamError
            if kind == "error":
                channel.ignore()
            request = headers.get("requestid", headers["port"])
            if request not in pairs and len(pairs) >= MAX_STREAMS:
                del pairs[next(iter(pairs))]
            pair = pairs.setdefault(request, {})
            pair[kind] = channel
            if pair.keys() >= {"data", "error"}:
                del pairs[request]
                scope.spawn(_forward(port, pair["data"], pair["error"], connect, scope), f"port {port}")

        await SpdyChannels(duplex, take).run()


async def serve_websocket(duplex: Duplex, codec: wire.Codec, ports: list[int], connect: Connect) -> None:
    """Two channels per port, each of which first tells the port's number.

    Channels cannot be closed one by one: the end of the last connection is told by closing the WebSocket.
    """
    socket = WebSocket(duplex)
    transport = WebSocketChannels(socket, codec, range(2 * len(ports)))
    async with open_scope("port-forward") as scope:
        forwards = []
        for index, port in enumerate(ports):
            data, error = transport.channels[2 * index], transport.channels[2 * index + 1]
            error.ignore()
            for channel in (data, error):
                await channel.write(wire.port_announcement(port))
            forwards.append(scope.spawn(_forward(port, data, error, connect, scope), f"port {port}"))
        scope.spawn(_close_after(forwards, socket), "close")
        await transport.run()


async def _close_after(forwards: list[asyncio.Task[None]], socket: WebSocket) -> None:
    for forward in forwards:
        await asyncio.wait((forward,))
    await socket.close()


async def _forward(port: int, data: Channel, error: Channel, connect: Connect, scope: Scope) -> None:
    """Bytes both ways until the pod's side ends; a failure to connect is written to `error`.

    What the client still has to say after that gets a second, as with other runtimes.
    """
    with suppress(ConnectionError):
        try:
            connection = await connect(port)
        except ForwardError as problem:
            await error.write(str(problem).encode())
        else:
            reader, writer = await asyncio.open_connection(sock=connection)
            upward = scope.spawn(_upward(data, writer), f"to port {port}")
            try:
                await _downward(reader, data)
                await error.close()
                await data.close()
                await asyncio.wait((upward,), timeout=_GRACE_SECONDS)
            finally:
                upward.cancel()
                writer.close()
    await error.close()
    await data.close()


async def _upward(data: Channel, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await data.read():
            writer.write(chunk)
            await writer.drain()
        if not writer.is_closing():  # the other side has left meanwhile
            writer.write_eof()


async def _downward(reader: asyncio.StreamReader, data: Channel) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(64 * 1024):
            await data.write(chunk)
