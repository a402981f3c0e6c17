"""Exec and attach: the client's channels are opened, a session runs over them, its Status is told."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.streaming.channel import Channel
from pybernetes.streaming.duplex import Duplex, WebSocket
from pybernetes.streaming.spdy import SpdyChannels
from pybernetes.streaming.websocket import WebSocketChannels
from pybernetes.wire import channels as wire

OPEN_SECONDS = 30.0
_LINGER_SECONDS = 1.0


class Wanted(Struct, frozen=True):
    """Which streams were asked for. A terminal has no stderr of its own."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    @property
    def names(self) -> set[str]:
        """The streams that a SPDY client opens."""
        flags = {"stdin": self.stdin, "stdout": self.stdout, "stderr": self.stderr and not self.tty, "resize": self.tty}
        return {"error", *(name for name, wanted in flags.items() if wanted)}

    @property
    def inputs(self) -> set[str]:
        """Those of them that are read."""
        return self.names & {"stdin", "resize"}


class CommandStreams(Struct, frozen=True):
    """A session's streams; None for those that were not asked for."""

    stdin: Channel | None
    stdout: Channel | None
    stderr: Channel | None
    resize: Channel | None


Session = Callable[[CommandStreams], Awaitable[bytes]]
"""Runs to its end and returns the Status to tell. Cancelled when the client goes."""


async def serve_websocket(duplex: Duplex, codec: wire.Codec, wanted: Wanted, session: Session) -> None:
    """The version of the protocol says how the end is told; before version 4 there is only a message, for failures."""
    socket = WebSocket(duplex)
    transport = WebSocketChannels(socket, codec, [each for each in wire.Channel if each != wire.Channel.CLOSE])
    opened = {each.name.lower(): transport.channels[each] for each in wire.Channel if each != wire.Channel.CLOSE}
    for name in opened.keys() - wanted.inputs:
        opened[name].ignore()
    async with open_scope("stream") as scope:
        gone = scope.spawn(transport.run(), "websocket")
        status = await _until_gone(session(_chosen(opened, wanted)), gone, scope)
        if status is not None and (codec.has_status or status != wire.success()):
            await opened["error"].write(status)
        await socket.close()


async def serve_spdy(duplex: Duplex, protocol: str, wanted: Wanted, session: Session) -> None:
    """Wait for the streams that were asked for, accept them, and run the session."""
    opened: dict[str, Channel] = {}
    complete = asyncio.Event()
    names = wanted.names - ({"resize"} if protocol in ("channel.k8s.io", "v2.channel.k8s.io") else set())

    async def take(headers: dict[str, str], channel: Channel) -> None:
        name = headers.get("streamtype", "")
        if name not in wanted.inputs or name in opened:
            channel.ignore()
        opened.setdefault(name, channel)
        if names <= opened.keys():
            complete.set()

    transport = SpdyChannels(duplex, take)
    async with open_scope("stream") as scope:
        gone = scope.spawn(transport.run(), "spdy")
        if await _until_gone(_within(complete.wait(), OPEN_SECONDS), gone, scope) is None:
            return
        status = await _until_gone(session(_chosen(opened, wanted)), gone, scope)
        if status is not None:
            if protocol.startswith("v4") or status != wire.success():
                await opened["error"].write(status)
            for channel in opened.values():
                await channel.close()
            await _until_gone(asyncio.sleep(_LINGER_SECONDS, None), gone, scope)
        await transport.close()


def _chosen(opened: dict[str, Channel], wanted: Wanted) -> CommandStreams:
    names = wanted.names

    def channel(name: str) -> Channel | None:
        return opened.get(name) if name in names else None

    return CommandStreams(channel("stdin"), channel("stdout"), channel("stderr"), channel("resize"))


async def _within(awaitable: Awaitable[bool], seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(seconds):
            await awaitable
    except TimeoutError:
        return None
    return b""


async def _until_gone(work: Awaitable[bytes | None], gone: "asyncio.Task[None]", scope: Scope) -> bytes | None:
    """The result of `work`, or None if the client goes first."""
    task = scope.spawn(_result(work), "session")
    await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
    if task.done() and not task.cancelled() and task.exception() is None:
        result: bytes | None = task.result()
        return result
    task.cancel()
    await asyncio.wait((task,))
    return None


async def _result(work: Awaitable[bytes | None]) -> bytes | None:
    return await work
