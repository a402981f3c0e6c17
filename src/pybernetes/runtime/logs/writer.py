"""Write streams as CRI log lines: `<RFC 3339 with nanoseconds> <stream> <F|P> <content>`."""

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from pybernetes.runtime import syscalls as sys

MAX_LINE = 16 * 1024


class LogWriter:
    """One log file, appended to. A disk that is full costs lines, never the container."""

    def __init__(self, path: str, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._now_ns = now_ns
        self._pending: dict[str, bytes] = {}
        self._is_torn = False
        self._second, self._second_text = -1, ""
        self._fd = self._open() if path else -1

    def _open(self) -> int:
        """Raises OSError for what is no file: a pod that may write here must not choose where its output goes.

        Pod, container and file are the last three parts of the path: what is above them is the node's own.
        """
        path = Path(self._path)
        root = os.open(path.parents[2], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
        try:
            fd = sys.open_in_root(root, str(path.relative_to(path.parents[2])), flags, 0o640, symlinks=False)
        finally:
            os.close(root)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file", self._path)
        return fd

    def reopen(self) -> None:
        """Go on in a new file at the same path, after the old one was renamed. Raises OSError, and goes on in the old."""
        if self._path:
            old, self._fd = self._fd, self._open()
            self._is_torn = False
            os.close(old)

    def write(self, stream: str, data: bytes) -> None:
        """Take output of `stream`; whole lines and full buffers reach the file, the rest waits."""
        *lines, rest = (self._pending.get(stream, b"") + data).split(b"\n")
        stamp = self._stamp(stream)
        out: list[bytes] = []
        for line in lines:
            while len(line) > MAX_LINE:
                out.append(stamp + b" P " + line[:MAX_LINE])
                line = line[MAX_LINE:]
            out.append(stamp + b" F " + line)
        while len(rest) >= MAX_LINE:
            out.append(stamp + b" P " + rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._pending[stream] = rest
        self._append(out)

    def finish(self) -> None:
        """Write what never got its newline, as the part of a line that it is."""
        for stream, rest in self._pending.items():
            if rest:
                self._append([self._stamp(stream) + b" P " + rest])
        self._pending.clear()

    def _append(self, lines: list[bytes]) -> None:
        if not lines or self._fd < 0:
            return
        text = b"\n" * self._is_torn + b"\n".join(lines) + b"\n"
        written = 0
        try:
            while written < len(text):
                written += os.write(self._fd, memoryview(text)[written:])
        except OSError:
            pass
        # The next line begins as one, whatever has become of this one.
        if written:
            self._is_torn = text[written - 1 : written] != b"\n"

    def _stamp(self, stream: str) -> bytes:
        seconds, nanoseconds = divmod(self._now_ns(), 1_000_000_000)
        if seconds != self._second:
            self._second, self._second_text = seconds, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        return f"{self._second_text}.{nanoseconds:09d}Z {stream}".encode()
