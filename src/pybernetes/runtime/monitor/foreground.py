"""A container that belongs to whoever asked for it: its output goes to them, and it ends when they go away."""

import os
import select
import signal
import socket
from typing import Any

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.launcher import message
from pybernetes.runtime.launcher.errors import LaunchError
from pybernetes.runtime.monitor.executors import choose_executor


def run_foreground(request: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
    """Run the bundle of `request["directory"]` with `fds` as its streams; answer with its exit code at its end.

    Answers with an error if it does not start. Whatever comes over the reply channel, its end included, kills it.
    """
    sys.set_process_name("p8s-step")
    sys.set_process_title(f"p8s-step {request['id']}")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    executor = choose_executor(request)
    cgroup = Cgroup(executor.config["linux"]["cgroupsPath"])
    try:
        try:
            pid = executor.start((fds[0], fds[1], fds[2])).pid
            executor.launch()
        finally:
            message.close_all(fds)
    except (LaunchError, OSError) as error:
        executor.clean_up()
        message.send(reply, {"error": str(error)})
        return
    if not _ended(sys.pidfd_open(pid), reply):
        cgroup.kill()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    said = {"exit_code": 128 - code if code < 0 else code, "oom": code != 0 and cgroup.oom_kills() > 0}
    executor.clean_up()
    message.send(reply, said)


def _ended(process: int, reply: socket.socket) -> bool:
    """Wait for the process's end, or that of our caller's patience; says whether it was the former."""
    poll = select.poll()
    for fd in (process, reply.fileno()):
        poll.register(fd, select.POLLIN)
    ready = {fd for fd, _ in poll.poll()}
    return process in ready
