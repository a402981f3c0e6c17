"""A real API server for tests: `python -m pybernetes.apiserver` on a loopback port, over SQLite in a folder of the test."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running_apiserver(folder: Path, *flags: str) -> Iterator[str]:
    """The URL of a server without TLS and authentication, ended when the block does."""
    port = free_port()
    command = [
        sys.executable, "-m", "pybernetes.apiserver", "--bind-address=127.0.0.1", f"--secure-port={port}",
        f"--storage=sqlite:{folder / 'store.db'}", "--advertise-address=10.244.0.1", *flags,
    ]  # fmt: skip
    log = folder / "apiserver.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _wait_listening(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"the API server did not start:\n{log.read_text()}")
