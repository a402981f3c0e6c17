"""Pipes and terminals on the event loop."""

import os

from pybernetes.aio.descriptors import wait_readable, wait_writable

CHUNK = 32 * 1024


async def read(fd: int) -> bytes:
    """The next bytes of a non-blocking descriptor; empty at its end, which of a terminal is an error."""
    while True:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            await wait_readable(fd)
        except OSError:
            return b""


async def write(fd: int, data: bytes) -> None:
    """All of `data`, to a non-blocking descriptor. Raises OSError when nobody reads it any more."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await wait_writable(fd)


class Collector:
    """Output of a process, at most `limit` bytes of it; the rest is read and dropped, so that the writer never hangs."""

    def __init__(self, fd: int, limit: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._limit = limit
        self.data = bytearray()

    async def run(self) -> None:
        """Read to the end. The descriptor stays the caller's."""
        while data := await read(self._fd):
            self.data += data[: self._limit - len(self.data)]
