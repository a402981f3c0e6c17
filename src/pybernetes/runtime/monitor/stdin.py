"""A container's standard input: what clients send waits here until the container takes it."""

import os


class Stdin:
    """Of a container with none, `fd` is None: then everything is dropped. The descriptor is non-blocking, and owned."""

    def __init__(self, fd: int | None) -> None:
        self.fd = fd
        self._queue = b""
        self._ends = False

    @property
    def queued(self) -> int:
        """Bytes that wait."""
        return len(self._queue)

    def put(self, data: bytes) -> None:
        """Write what the container takes now, keep the rest."""
        self._queue += data
        self.flush()

    def flush(self) -> None:
        """Write more of what waits. A container that reads no more loses it."""
        if self.fd is None:
            self._queue = b""
            return
        try:
            self._queue = self._queue[os.write(self.fd, self._queue) :]
        except BlockingIOError:
            return
        except OSError:
            self._queue = b""
        if self._ends and not self._queue:
            self._close()

    def end(self) -> None:
        """Close the container's input once all that came for it is written. Safe to repeat."""
        self._ends = True
        if not self._queue:
            self._close()

    def _close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None
