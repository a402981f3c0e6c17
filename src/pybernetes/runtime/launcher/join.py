"""Run one more process in a container that runs: exec."""

import os
import signal
import socket
from typing import Any, NoReturn

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.launcher import devices, message, users
from pybernetes.runtime.launcher.errors import LaunchError
from pybernetes.runtime.launcher.process import run_process, set_oom_score
from pybernetes.runtime.launcher.start import Started, supervise_start, take_stdio

_ALL = sys.CLONE_NEWNS | sys.CLONE_NEWUTS | sys.CLONE_NEWIPC | sys.CLONE_NEWNET | sys.CLONE_NEWCGROUP


def start_in_container(
    pidfd: int, config: dict[str, Any], process: dict[str, Any], seccomp: bytes, stdio: tuple[int, int, int]
) -> Started:
    """Run the OCI `process` beside the one behind `pidfd`, in its namespaces and cgroup. Raises LaunchError.

    `config` is the OCI config of its container.
    """
    cgroup, is_mapped = Cgroup(config["linux"]["cgroupsPath"]), users.are_mapped(config)
    try:
        sys.setns(pidfd, sys.CLONE_NEWPID)
        into = _place(cgroup, pidfd).open_unified()
    except OSError as error:
        raise LaunchError(f"cannot exec in a stopped container: {(error.strerror or '').lower()}") from error
    try:
        return supervise_start(0, into, lambda sync: _child(pidfd, is_mapped, cgroup, process, seccomp, stdio, sync))
    finally:
        if into is not None:
            os.close(into)


def _place(cgroup: Cgroup, pidfd: int) -> Cgroup:
    """The container's cgroup; that of its first process where the container has shared it out (systemd, engines)."""
    if not cgroup.is_shared_out():
        return cgroup
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        pid = next(line.split()[1] for line in file if line.startswith("Pid:"))
    with open(f"/proc/{pid}/cgroup") as file:
        found = next(line.rstrip("\n").removeprefix("0::") for line in file if line.startswith("0::"))
    signal.pidfd_send_signal(pidfd, 0)  # it was that process
    return Cgroup(found, cgroup.hierarchies)


def _child(
    pidfd: int,
    is_mapped: bool,
    cgroup: Cgroup,
    process: dict[str, Any],
    seccomp: bytes,
    stdio: tuple[int, int, int],
    sync: socket.socket,
) -> NoReturn:
    sys.prctl(sys.PR_SET_DUMPABLE, 0)
    os.setsid()
    cgroup.enter()
    set_oom_score(process.get("oomScoreAdj"))
    sys.setns(pidfd, _ALL | (sys.CLONE_NEWUSER if is_mapped else 0))
    if is_mapped:
        users.become_root()
    terminal = _make_terminal(sync, process) if process.get("terminal") else None
    take_stdio((terminal, terminal, terminal) if terminal is not None else stdio, terminal is not None)
    sys.close_others(sync.fileno())
    run_process(process, seccomp)


def _make_terminal(sync: socket.socket, process: dict[str, Any]) -> int:
    """A terminal of the container's devpts, which must be one: what the image put at the path is not trusted."""
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        devpts = sys.openat2(root, "dev/pts", os.O_RDONLY | os.O_DIRECTORY, resolve=sys.RESOLVE_NO_SYMLINKS)
        master, terminal = devices.open_terminal(devpts)
    except OSError as error:
        raise LaunchError(f"cannot allocate a terminal: {(error.strerror or '').lower()}") from error
    if os.fstat(master).st_rdev != os.makedev(5, 2):
        raise LaunchError("cannot allocate a terminal: /dev/pts of the container is not devpts")
    os.fchown(terminal, process["user"]["uid"], -1)
    message.send(sync, {}, [master])
    os.close(master)
    return terminal
