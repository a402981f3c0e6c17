"""The runtime's end of the zygote: starts it, asks it, and starts another when it is gone."""

import fcntl
import os
import resource
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pybernetes
from pybernetes.aio.descriptors import wait_readable
from pybernetes.cri.errors import CRIError
from pybernetes.runtime.launcher import message

_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_CODE = (
    "import sys; sys.path.append(sys.argv[1]); from pybernetes.runtime.launcher.zygote import serve; "
    "serve(int(sys.argv[2]), sys.argv[3])"
)


class Reply:
    """What a forked child says, message by message. Close it when no more is awaited."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel

    async def next(self) -> tuple[dict[str, Any], list[int]]:
        """The next message and descriptors, which the caller owns. Raises CRIError if the child died without one."""
        while True:
            try:
                said, fds = message.receive(self._channel)
                break
            except BlockingIOError:
                await wait_readable(self._channel.fileno())
        if said is None:
            raise CRIError("the launcher's process ended without an answer")
        return said, fds

    def end(self) -> None:
        """Tell the child that nobody wants more; it may still answer."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._channel.close()


class Zygote:
    """Requests to the zygote. It is started on first use; `close` ends it, but nothing that it has forked."""

    def __init__(self, cgroup: str) -> None:
        self._cgroup = cgroup
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: dict[str, Any], fds: Sequence[int] = ()) -> Reply:
        """Hand a request and descriptors over; they are copied, so that the caller may close its own."""
        ours, theirs = message.pair()
        with theirs:
            try:
                message.send(self._connection(), request, [theirs.fileno(), *fds])
            except (BrokenPipeError, ConnectionResetError):
                self.close()
                message.send(self._connection(), request, [theirs.fileno(), *fds])
        return Reply(ours)

    def start(self) -> None:
        """Start it now, and wait until it is ready (some 30 ms)."""
        self._connection()

    def _connection(self) -> socket.socket:
        if self._channel is None:
            ours, theirs = message.pair()
            with theirs:
                self._process = _spawn(theirs, self._cgroup)
            # It forks nothing before it is asked: containers have the limit that the caller had.
            resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, _FILES)
            _lift_limit()
            if message.receive(ours)[0] is None:
                raise CRIError(f"the launcher did not start (exit status {self._process.wait()})")
            self._channel = ours
        return self._channel

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.wait()
            self._process = None


def _lift_limit() -> None:
    """Four descriptors are held of each running container; a shell's usual 1,024 would end with 250 of them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES[1], _FILES[1]))


def _spawn(channel: socket.socket, cgroup: str) -> subprocess.Popen[bytes]:
    interpreter = seal_copy(os.path.realpath(sys.executable))
    package = str(Path(pybernetes.__file__).parent.parent)
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CODE, package, str(channel.fileno()), cgroup],
            executable=f"/proc/self/fd/{interpreter}",
            pass_fds=[channel.fileno(), interpreter],
            stdin=subprocess.DEVNULL,
            env={"LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR") or ""), "LANG": "C.UTF-8"},
        )
    finally:
        os.close(interpreter)


def seal_copy(path: str) -> int:
    """A copy of the file in memory that nobody can change any more."""
    copy = os.memfd_create("pybernetes", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(path, "rb") as source:
        remaining = os.fstat(source.fileno()).st_size
        while remaining > 0:
            remaining -= os.sendfile(copy, source.fileno(), None, remaining)
    fcntl.fcntl(copy, fcntl.F_ADD_SEALS, _SEALS)
    return copy
