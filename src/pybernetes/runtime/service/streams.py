"""Exec, Attach and PortForward: what each does once a client has taken its stream."""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Awaitable, Callable
from functools import partial

from pybernetes.aio.tasks import open_scope
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, InvalidError
from pybernetes.runtime.launcher.message import close_all
from pybernetes.runtime.monitor import protocol
from pybernetes.runtime.monitor.client import connect as connect_monitor
from pybernetes.runtime.service import pipes
from pybernetes.runtime.service.container_exec import Execution, start_exec
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.sandbox_files import namespace_paths
from pybernetes.runtime.state import Container, Sandbox
from pybernetes.streaming.channel import Channel
from pybernetes.streaming.command import CommandStreams, Wanted
from pybernetes.streaming.forward import ForwardError
from pybernetes.streaming.server import StreamingServer
from pybernetes.wire import channels as wire

_DRAIN_SECONDS = 2.0
_CONNECT_SECONDS = 10.0

Send = Callable[[bytes], Awaitable[None]]


def exec(core: Core, server: StreamingServer, request: t.ExecRequest) -> str:
    """Offer an exec. Raises NotFoundError, InvalidError."""
    container = _running(core, request.container_id)
    wanted = _wanted(request)
    return server.offer_command("exec", wanted, partial(_exec, core, container, list(request.cmd), wanted))


def attach(core: Core, server: StreamingServer, request: t.AttachRequest) -> str:
    """Offer the container's own streams."""
    container = _running(core, request.container_id)
    return server.offer_command("attach", _wanted(request), partial(_attach, core, container))


def port_forward(core: Core, server: StreamingServer, request: t.PortForwardRequest) -> str:
    """Offer connections to the sandbox's loopback."""
    sandbox = core.table.sandbox(request.pod_sandbox_id)
    if not sandbox.record.ready:
        raise CRIError(f"sandbox container {sandbox.id!r} is not running")
    return server.offer_ports(list(request.port), partial(_connect, core, sandbox))


def _running(core: Core, container_id: str) -> Container:
    container = core.table.container(container_id)
    if container.state != t.ContainerState.CONTAINER_RUNNING:
        raise CRIError(f"container {container.id!r} is in {container.state.name} state")
    return container


def _wanted(request: t.ExecRequest | t.AttachRequest) -> Wanted:
    if request.tty and request.stderr:
        raise InvalidError("tty and stderr cannot both be true")
    if not (request.stdin or request.stdout or request.stderr):
        raise InvalidError("one of stdin, stdout, or stderr must be set")
    return Wanted(request.stdin, request.stdout, request.stderr, request.tty)


async def _exec(core: Core, container: Container, command: list[str], wanted: Wanted, streams: CommandStreams) -> bytes:
    try:
        code = await (_exec_terminal if wanted.tty else _exec_pipes)(core, container, command, streams)
    except CRIError as error:
        return wire.internal_error(f"error executing command in container: {error}")
    if code == 0:
        return wire.success()
    return wire.exit_code(code, f"error executing command {command}, exit code {code}")


async def _exec_terminal(core: Core, container: Container, command: list[str], streams: CommandStreams) -> int:
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        execution = await start_exec(core, container.id, command, True, (null, null, null))
    finally:
        os.close(null)
    if execution.terminal is None:
        raise CRIError("the runtime gave no terminal")
    os.set_blocking(execution.terminal, False)
    return await _converse(execution, streams, execution.terminal, {execution.terminal: streams.stdout})


async def _exec_pipes(core: Core, container: Container, command: list[str], streams: CommandStreams) -> int:
    their_in, stdin = os.pipe2(os.O_CLOEXEC)
    out, their_out = os.pipe2(os.O_CLOEXEC)
    err, their_err = os.pipe2(os.O_CLOEXEC)
    try:
        execution = await start_exec(core, container.id, command, False, (their_in, their_out, their_err))
    except BaseException:
        close_all((stdin, out, err))
        raise
    finally:
        close_all((their_in, their_out, their_err))
    for fd in (stdin, out, err):
        os.set_blocking(fd, False)
    return await _converse(execution, streams, stdin, {out: streams.stdout, err: streams.stderr})


async def _converse(
    execution: Execution, streams: CommandStreams, stdin: int, outputs: dict[int, Channel | None]
) -> int:
    """Carry all streams until the process has ended and its output is delivered. Takes the descriptors over."""
    inlet = _Inlet(stdin, closes=stdin not in outputs)
    try:
        async with open_scope("exec") as scope:
            outlets = [_Outlet(fd, channel) for fd, channel in outputs.items()]
            outward = [scope.spawn(outlet.run(), "output") for outlet in outlets]
            scope.spawn(inlet.run(streams.stdin), "stdin")
            if streams.resize is not None:
                scope.spawn(_pump_sizes(streams.resize, partial(_resize, stdin)), "resize")
            code = await execution.wait()
            await _drain(outlets, outward)
            return code
    except BaseException:
        execution.kill()
        raise
    finally:
        execution.close()
        inlet.close()
        close_all(list(outputs))


class _Inlet:
    """Input of a process on its way from the client. A pipe is closed when that ends; a terminal has no end of input."""

    def __init__(self, fd: int, *, closes: bool) -> None:
        self._fd, self._closes = fd, closes

    async def run(self, channel: Channel | None) -> None:
        with contextlib.suppress(OSError):
            while channel is not None and (data := await channel.read()):
                await pipes.write(self._fd, data)
        self.close()

    def close(self) -> None:
        """Safe to repeat."""
        if self._closes:
            self._closes = False
            os.close(self._fd)


class _Outlet:
    """Output of a process on its way to the client."""

    def __init__(self, fd: int, channel: Channel | None) -> None:
        self._fd, self._channel = fd, channel
        self.moved = 0
        self.writing = False

    async def run(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await pipes.read(self._fd):
                self.writing = True
                if self._channel is not None:
                    await self._channel.write(data)
                self.writing = False
                self.moved += len(data)


async def _drain(outlets: list[_Outlet], tasks: "list[asyncio.Task[None]]") -> None:
    """Deliver what the process has left, however slow the client is; but what it left behind may hold the pipes open."""
    while True:
        before = [outlet.moved for outlet in outlets]
        _, pending = await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
        moves = any(outlet.writing for outlet in outlets) or before != [outlet.moved for outlet in outlets]
        if not pending or not moves:
            return


async def _pump_sizes(channel: Channel, apply: Callable[[int, int], Awaitable[None] | None]) -> None:
    while data := await channel.read():
        with contextlib.suppress(wire.ChannelError, OSError):
            applied = apply(*wire.resize(data))
            if applied is not None:
                await applied


def _resize(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


async def _attach(core: Core, container: Container, streams: CommandStreams) -> bytes:
    try:
        connection = await connect_monitor(core.directory(container))
    except OSError as error:
        return wire.internal_error(f"error attaching to container: {error.strerror}")
    with connection:
        send = in_turn(connection)
        await send(protocol.ATTACH)
        async with open_scope("attach") as scope:
            if streams.stdin is not None:
                scope.spawn(_attach_stdin(streams.stdin, send), "stdin")
            if streams.resize is not None:
                apply = partial(_send_size, send)
                scope.spawn(_pump_sizes(streams.resize, apply), "resize")
            with contextlib.suppress(OSError):
                await _pump_output(connection, streams)
    return wire.success()


def in_turn(connection: socket.socket) -> Send:
    """Sends messages one after the other: of two that wait for the same socket, the event loop would forget the first."""
    loop, turn = asyncio.get_running_loop(), asyncio.Lock()

    async def send(message: bytes) -> None:
        async with turn:
            await loop.sock_sendall(connection, message)

    return send


async def _pump_output(monitor: socket.socket, streams: CommandStreams) -> None:
    channels = {protocol.STDOUT: streams.stdout, protocol.STDERR: streams.stderr}
    while data := await asyncio.get_running_loop().sock_recv(monitor, protocol.MAX_MESSAGE):
        channel = channels.get(data[:1])
        if channel is not None:
            await channel.write(data[1:])


async def _send_size(send: Send, rows: int, columns: int) -> None:
    await send(protocol.RESIZE + protocol.SIZE.pack(rows, columns))


async def _attach_stdin(channel: Channel, send: Send) -> None:
    with contextlib.suppress(OSError):
        while data := await channel.read():
            for start in range(0, len(data), protocol.MAX_MESSAGE // 2):
                await send(protocol.STDIN + data[start : start + protocol.MAX_MESSAGE // 2])
        await send(protocol.STDIN_END)


async def _connect(core: Core, sandbox: Sandbox, port: int) -> socket.socket:
    """A connection to the port on the sandbox's loopback, IPv4 first. Raises ForwardError."""
    paths = namespace_paths(core.records.sandbox_directory(sandbox.id), sandbox.record)
    place = paths.get("network") or str(core.options.netns or "/proc/self/ns/net")
    try:
        namespace = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ForwardError(f"failed to find network namespace for sandbox {sandbox.id!r}") from error
    try:
        reply = core.zygote.ask({"call": "connect", "port": port, "timeout": _CONNECT_SECONDS}, [namespace])
    finally:
        os.close(namespace)
    try:
        said, fds = await reply.next()
    finally:
        reply.close()
    if "error" in said:
        raise ForwardError(
            f"error forwarding port {port} to pod {sandbox.id}, uid : failed to execute portforward in network "
            f'namespace "{place}": failed to connect to localhost:{port} inside namespace "{sandbox.id}", {said["error"]}'
        )
    return socket.socket(fileno=fds[0])
