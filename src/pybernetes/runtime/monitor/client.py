"""The runtime's end of a monitor's control socket."""

import asyncio
import os
import socket
from pathlib import Path

from pybernetes.cri.errors import CRIError
from pybernetes.runtime.monitor import protocol


async def connect(directory: Path) -> socket.socket:
    """A connection to the monitor of the container in `directory`. Raises OSError if there is none (any more)."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(f"/proc/self/fd/{handle}/{protocol.SOCKET}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(handle)
    connection.setblocking(False)
    return connection


class Control:
    """The connection that stays open while the container runs; its end is the container's."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers: asyncio.Queue[str | None] = asyncio.Queue(1)
        self._asking = asyncio.Lock()
        self._ended = False

    async def wait_closed(self) -> None:
        """Read until the monitor closes the connection: the container has ended, or the monitor was killed."""
        loop = asyncio.get_running_loop()
        try:
            while data := await _receive(loop, self._connection):
                await self._answers.put(data[1:].decode())
        except OSError:
            return
        finally:
            self._ended = True
            if self._answers.empty():
                self._answers.put_nowait(None)
            self._connection.close()

    async def ping(self) -> None:
        """Return once the container is known to run, or to have ended."""
        await self._ask(protocol.PING)

    async def reopen_log(self) -> None:
        """Raises CRIError with the reason if the log cannot be opened anew."""
        if problem := await self._ask(protocol.REOPEN):
            raise CRIError(f"failed to reopen container log: {problem}")

    async def _ask(self, message: bytes) -> str:
        async with self._asking:
            if self._ended:
                return ""
            try:
                await asyncio.get_running_loop().sock_sendall(self._connection, message)
            except OSError:
                return ""
            return await self._answers.get() or ""


async def _receive(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes:
    return await loop.sock_recv(connection, protocol.MAX_MESSAGE)
