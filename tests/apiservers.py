"""A real API server for tests: `python -m pybernetes.apiserver` on a loopback port, over SQLite in a folder of the test."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.ports import free_port

START_SECONDS = 20.0


class APIServer:
    """A server process that can be killed and started again over the same store and port."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._log, port = folder / "apiserver.log", free_port()
        self._port = port
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            sys.executable, "-m", "pybernetes.apiserver", "--bind-address=127.0.0.1", f"--secure-port={port}",
            f"--storage=sqlite:{folder / 'store.db'}", "--advertise-address=10.244.0.1", "--cert-dir=", *flags,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it listens; fails with its log if it does not."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        _wait_listening(self._process, self._port, self._log)

    def kill(self) -> None:
        """As a crash would: SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Safe to repeat."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None


@contextlib.contextmanager
def running_apiserver(folder: Path, *flags: str) -> Iterator[APIServer]:
    """A server without TLS and authentication, ended when the block does."""
    server = APIServer(folder, *flags)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"the API server did not start:\n{log.read_text()}")
