"""The connections to a monitor's control socket."""

import os
import socket

from pybernetes.runtime.monitor import protocol

_MAX_QUEUE = 4 << 20


class Client:
    """One connection; output that it does not take at once waits, up to a bound, beyond which it is dropped."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.attached = False
        self.closed = False
        self._queue: list[bytes] = []
        self._queued = 0

    @property
    def waiting(self) -> bool:
        return bool(self._queue)

    def send(self, message: bytes) -> None:
        if self._queue or not self._try(message):
            self._queue.append(message)
            self._queued += len(message)
            self.closed = self.closed or self._queued > _MAX_QUEUE

    def flush(self) -> None:
        while self._queue and self._try(self._queue[0]):
            self._queued -= len(self._queue.pop(0))

    def finish(self, seconds: float) -> None:
        """Deliver what waits, within `seconds`, and close."""
        self.connection.settimeout(seconds)
        self.flush()
        self.connection.close()

    def _try(self, message: bytes) -> bool:
        try:
            self.connection.send(message)
        except (BlockingIOError, TimeoutError):
            return False
        except OSError:
            self.closed = True
        return True


def listen(directory: str) -> socket.socket:
    """The control socket in `directory`, by a short name, since addresses of sockets are bounded."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        path = f"/proc/self/fd/{handle}/{protocol.SOCKET}"
        if os.path.lexists(path):
            os.unlink(path)
        server.bind(path)
    finally:
        os.close(handle)
    server.listen(64)
    server.setblocking(False)
    return server
