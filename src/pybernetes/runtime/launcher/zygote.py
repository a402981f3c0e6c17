"""The zygote: a small warm process with one thread, which forks every monitor, exec runner and sandbox.

It runs from a sealed copy of the interpreter, so that what a container can reach through /proc/self/exe of a process
on its way in is a copy that cannot be written. It ends when the runtime closes its channel; what it forked lives on.
"""

import gc
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, NoReturn

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.launcher import message, sandbox, users
from pybernetes.runtime.launcher.mounts import v1_hierarchies
from pybernetes.runtime.monitor import execution, foreground, process

Call = Callable[[dict[str, Any], socket.socket, list[int]], None]
CALLS: dict[str, Call] = {
    "monitor": process.run_monitor,
    "adopt": process.adopt_container,
    "exec": execution.run_exec,
    "foreground": foreground.run_foreground,
    "sandbox": sandbox.make_sandbox,
    "connect": sandbox.connect_inside,
    "users": users.try_mapping,
}


def serve(channel_fd: int, cgroup: str) -> NoReturn:
    """Answer requests until the runtime is gone. Each carries, as its first descriptor, where its reply goes."""
    sys.close_others(channel_fd)
    channel = socket.socket(fileno=channel_fd)
    sys.set_process_name("p8s-zygote")
    sys.set_process_title("p8s-zygote")
    os.setsid()
    os.chdir("/")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _leave_cgroup(cgroup)
    v1_hierarchies()
    gc.collect()
    gc.freeze()
    gc.disable()
    message.send(channel, {"ready": os.getpid()})
    while True:
        request, fds = message.receive(channel)
        if request is None:
            os._exit(0)
        if os.fork() == 0:
            channel.close()
            _run(request, fds)
        message.close_all(fds)


def _leave_cgroup(path: str) -> None:
    """Monitors outlive the service that started them, so they may not sit in its cgroup."""
    cgroup = Cgroup(path)
    cgroup.create()
    cgroup.enter()
    cgroup.enter_unified()


def _run(request: dict[str, Any], fds: list[int]) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    reply = socket.socket(fileno=fds[0])
    try:
        CALLS[request["call"]](request, reply, fds[1:])
    except BaseException as error:
        try:
            message.send(reply, {"error": f"{type(error).__name__}: {error}"})
        except OSError:
            os._exit(1)
    os._exit(0)
