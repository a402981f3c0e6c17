"""The runner of one exec: starts the process, waits for it, tells its exit code."""

import json
import os
import socket
from typing import Any

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.launcher import message
from pybernetes.runtime.launcher.errors import LaunchError
from pybernetes.runtime.launcher.join import start_in_container
from pybernetes.runtime.launcher.start import Started, read_seccomp


def run_exec(request: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
    """Run `request["process"]` (OCI) in the container of `request["directory"]`.

    `fds` are its streams, and a descriptor of the container's own process, whose number may be another's by now.

    Answers with a pidfd (and the terminal's end if it has one), then, when it has ended, with its exit code.
    A closed reply channel ends nothing: the process runs on until it ends by itself or by its container.
    """
    try:
        started = _start(request, (fds[0], fds[1], fds[2]), fds[3])
    except LaunchError as error:
        message.send(reply, {"error": str(error)})
        return
    handed = [sys.pidfd_open(started.pid)]
    if started.terminal is not None:
        handed.append(started.terminal)
    message.send(reply, {"pid": started.pid}, handed)
    message.close_all([*fds, *handed])
    _, status = os.waitpid(started.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    message.send(reply, {"exit_code": 128 - code if code < 0 else code})


def _start(request: dict[str, Any], stdio: tuple[int, int, int], process: int) -> Started:
    if request["runtime"]:
        from pybernetes.runtime.monitor.external import start_exec

        return start_exec(request, stdio)
    with open(os.path.join(request["directory"], "config.json")) as file:
        config = json.load(file)
    return start_in_container(process, config, request["process"], read_seccomp(request["directory"]), stdio)
