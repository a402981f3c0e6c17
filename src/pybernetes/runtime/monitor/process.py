"""What a fork of the zygote does as a container's monitor: it settles in, starts or adopts, answers, and stays."""

import contextlib
import os
import signal
import socket
from typing import Any

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.launcher import message
from pybernetes.runtime.launcher.errors import LaunchError
from pybernetes.runtime.monitor.monitor import Monitor


def run_monitor(request: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
    """Start the container of `request["directory"]` and stay until it has ended.

    Answers with its process id and what the runtime is to keep of it, or with the error for which it did not start.
    """
    _settle_in(request["id"])
    monitor = Monitor(request)
    try:
        pid = monitor.start()
    except (LaunchError, OSError) as error:
        monitor.record_failure(str(error))
        message.send(reply, {"error": str(error)})
        return
    _stay(monitor, pid, reply)


def adopt_container(request: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
    """The same for a container whose monitor was killed. `fds` are what the runtime has kept of it, if it has.

    Answers with an error if nothing is known of it any more. It may have ended: then its end is recorded.
    """
    _settle_in(request["id"])
    monitor = Monitor(request)
    try:
        pid = monitor.adopt(dict(zip(request["held"], fds, strict=True)))
    except OSError as error:
        message.send(reply, {"error": str(error)})
        return
    _stay(monitor, pid, reply)


def _settle_in(container_id: str) -> None:
    """Keep nothing of the zygote's that could end or disturb this process."""
    sys.set_process_name("p8s-monitor")
    sys.set_process_title(f"p8s-monitor {container_id}")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in range(3):
        os.dup2(null, fd, inheritable=False)
    os.close(null)


def _stay(monitor: Monitor, pid: int, reply: socket.socket) -> None:
    # The runtime first: what it holds is all there is of a container that has no record yet, and no monitor any more.
    # If it has died meanwhile, the record on disk tells its successor.
    with contextlib.suppress(OSError), monitor.held() as held:
        message.send(reply, {"pid": pid, "held": list(held)}, list(held.values()))
    reply.close()
    # Only then may it begin: what has run is known to somebody, and is not begun again.
    try:
        monitor.launch()
    except (LaunchError, OSError) as error:
        monitor.record_failure(str(error))
        return
    monitor.note_start()
    monitor.run()
