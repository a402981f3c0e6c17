"""Exec, attach and port-forward of simulated containers: what runs once a client has its streams."""

from __future__ import annotations

import asyncio
import shlex
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from pybernetes.aio.tasks import Scope
from pybernetes.simulator.answers import SHELLS, Reply, reply
from pybernetes.streaming.channel import Channel
from pybernetes.streaming.command import CommandStreams
from pybernetes.streaming.forward import Connect
from pybernetes.wire import channels as wire

PROMPT = b"/ # "
HEAD_LIMIT = 64 * 1024
SILENT_SECONDS = 10.0


async def run_command(
    command: Sequence[str], answers: Mapping[str, str], pod: str, tty: bool, streams: CommandStreams
) -> bytes:
    """A command, or a shell that answers line by line."""
    if command[0] in SHELLS and len(command) == 1 and streams.stdin is not None:
        return await _shell(answers, pod, tty, streams)
    said = reply(command, answers, pod)
    await _print(said, tty, streams)
    if said.code == 0:
        return wire.success()
    return wire.exit_code(said.code, f"error executing command {list(command)}, exit code {said.code}")


async def _print(said: Reply, tty: bool, streams: CommandStreams) -> None:
    for text, channel in ((said.output, streams.stdout), (said.error, streams.stderr or streams.stdout)):
        if text and channel is not None:
            await channel.write((text.replace("\n", "\r\n") if tty else text).encode())


async def _shell(answers: Mapping[str, str], pod: str, tty: bool, streams: CommandStreams) -> bytes:
    """Until `exit`, Ctrl-D or the end of the input. A terminal echoes what is typed."""
    assert streams.stdin is not None
    prompt, waiting = PROMPT if tty else b"", b""
    await _write(streams.stdout, prompt)
    while data := await streams.stdin.read():
        if tty:
            await _write(streams.stdout, data.replace(b"\r", b"\r\n"))
        waiting += data.replace(b"\r", b"\n")
        while b"\n" in waiting:
            line, _, waiting = waiting.partition(b"\n")
            words = line.decode(errors="replace").strip()
            if words == "exit":
                return wire.success()
            await _print(reply(_split(words), answers, pod), tty, streams)
            await _write(streams.stdout, prompt)
        if b"\x04" in waiting:
            break
    return wire.success()


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return [line]


async def _write(channel: Channel | None, data: bytes) -> None:
    if channel is not None and data:
        await channel.write(data)


async def show_log(pieces: Callable[[], AsyncIterator[bytes]], streams: CommandStreams) -> bytes:
    """Attach: what the container writes from now on."""
    async for piece in pieces():
        await _write(streams.stdout, piece)
    return wire.success()


def door(namespace: str, pod: str, scope: Scope) -> Connect:
    """Connections to the pod's ports, at each of which something answers HTTP."""

    async def connect(port: int) -> socket.socket:
        client, server = socket.socketpair()
        for end in (client, server):
            end.setblocking(False)
        scope.spawn(_answer(server, f"pod {namespace}/{pod}, port {port} (simulated)\n"), f"port {port}")
        return client

    return connect


async def _answer(connection: socket.socket, body: str) -> None:
    reader, writer = await asyncio.open_connection(sock=connection, limit=HEAD_LIMIT)
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return
    finally:
        writer.close()
