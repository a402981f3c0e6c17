"""The namespaces of a pod: made by a short-lived process, and kept by bind mounts rather than by a process."""

import os
import signal
import socket
from typing import Any, NoReturn

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.launcher import message, users
from pybernetes.runtime.launcher.start import NAMESPACES

_FILES = {"network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid", "user": "user"}


def make_sandbox(request: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
    """Make the namespaces `request["namespaces"]` (OCI type -> path of the file to pin it on).

    With a user namespace among them, which `uids` and `gids` map, the others are its own.
    Answers with a route-netlink socket that lives in the new network namespace, and a descriptor of that namespace.
    """
    wanted: dict[str, str] = request["namespaces"]
    flags = sum(NAMESPACES[kind] for kind in wanted)
    first = _First(request, flags, reply) if "user" in wanted else None
    if first is None:
        sys.unshare(flags)
    if "uts" in wanted and request.get("hostname"):
        socket.sethostname(request["hostname"])
    for key, value in request.get("sysctls", {}).items():
        with open("/proc/sys/" + key.replace(".", "/"), "w") as file:
            file.write(value)
    if "pid" in wanted and first is None:
        _start_pause(request["cgroup"], reply)
    for kind, path in wanted.items():
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
        source = "self/ns/pid_for_children" if kind == "pid" else f"self/ns/{_FILES[kind]}"
        if first is not None and kind in ("pid", "user"):
            source = f"{first.pid}/ns/{_FILES[kind]}"
        sys.mount(f"/proc/{source}", path, flags=sys.MS_BIND)
    if first is not None:
        first.release()
    descriptors = []
    if "network" in wanted:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        descriptors = [netlink.detach(), os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)]
    message.send(reply, {}, descriptors)


class _First:
    """The first process of a user namespace, which makes the pod's other namespaces by being made; this one joins them.

    It waits to be released, and then is process 1 of a PID namespace among them, or ends.
    """

    def __init__(self, request: dict[str, Any], flags: int, reply: socket.socket) -> None:
        group = Cgroup(request["cgroup"]) if flags & sys.CLONE_NEWPID else None
        if group is not None:
            group.create()
        waiting, self._release = os.pipe2(os.O_CLOEXEC)
        self.pid = sys.clone(flags, group.open_unified() if group else None)
        if self.pid == 0:
            reply.close()
            os.close(self._release)
            self._wait(waiting, pause=group is not None)
        os.close(waiting)
        if group is not None:
            group.enter(self.pid)
        users.write_mappings(self.pid, request["uids"], request["gids"])
        joined = flags & (sys.CLONE_NEWNET | sys.CLONE_NEWIPC | sys.CLONE_NEWUTS)
        sys.setns(sys.pidfd_open(self.pid), joined)

    @staticmethod
    def _wait(waiting: int, *, pause: bool) -> NoReturn:
        if os.read(waiting, 1) and pause:
            users.become_root()
            _pause()
        os._exit(0)

    def release(self) -> None:
        os.write(self._release, b"x")


def _start_pause(cgroup: str, reply: socket.socket) -> None:
    """Process 1 of a shared PID namespace, which would end with its first process; it ends with its cgroup."""
    group = Cgroup(cgroup)
    group.create()
    into = group.open_unified()
    pid = sys.clone(0, into)
    if pid == 0:
        reply.close()
        group.enter()
        _pause()


def _pause() -> NoReturn:
    """Reap what is orphaned in the pod, for ever."""
    sys.set_process_name("pause")
    sys.set_process_title("/pause")
    sys.prctl(sys.PR_SET_DUMPABLE, 0)
    signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    sys.close_others(2)
    sys.capset(0, 0, 0)
    while True:
        signal.sigwait(signals)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            continue


def connect_inside(request: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
    """Connect to a port of the loopback in the network namespace open as `fds[0]`; answers with the connection."""
    sys.setns(fds[0], sys.CLONE_NEWNET)
    problems = []
    for family, name, address in ((socket.AF_INET, "IPv4", "127.0.0.1"), (socket.AF_INET6, "IPv6", "::1")):
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(request["timeout"])
        try:
            connection.connect((address, request["port"]))
        except OSError as error:
            target = f"{address}:{request['port']}" if family == socket.AF_INET else f"[{address}]:{request['port']}"
            cause = (error.strerror or str(error)).lower()
            problems.append(f"{name}: dial tcp{name[-1]} {target}: connect: {cause}")
            continue
        connection.setblocking(False)
        message.send(reply, {}, [connection.fileno()])
        return
    message.send(reply, {"error": " ".join(problems)})
