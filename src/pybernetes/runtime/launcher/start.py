"""Start a bundle's container: from the monitor's side, and up to the execve in the new namespaces."""

import os
import socket
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.cgroups.limits import apply_limits
from pybernetes.runtime.launcher import devices, message, mounts, users
from pybernetes.runtime.launcher.errors import LaunchError
from pybernetes.runtime.launcher.process import run_process, set_oom_score
from pybernetes.runtime.launcher.rootfs import make_directory

NAMESPACES = {
    "network": sys.CLONE_NEWNET,
    "ipc": sys.CLONE_NEWIPC,
    "uts": sys.CLONE_NEWUTS,
    "mount": sys.CLONE_NEWNS,
    "pid": sys.CLONE_NEWPID,
    "cgroup": sys.CLONE_NEWCGROUP,
    "user": sys.CLONE_NEWUSER,
}


class Started(NamedTuple):
    """The container's first process, a child of the caller, and the terminal's end to hold, if it has one."""

    pid: int
    terminal: int | None


class _Prepared(NamedTuple):
    """What is taken on the host's side, before the fork: descriptors that the child inherits.

    `anchor` is a directory of the host to attach the root to, for the moment until it becomes the root.
    """

    config: dict[str, Any]
    seccomp: bytes
    root: int
    anchor: str
    trees: dict[int, int]
    namespaces: dict[str, int]
    cgroup: Cgroup

    @property
    def is_mapped(self) -> bool:
        """Whether the container lives in a user namespace of its pod."""
        return "user" in self.namespaces

    def join_pids(self) -> None:
        """Have children be processes of the pod's PID namespace, if it has one."""
        if (namespace := self.namespaces.get("pid")) is not None:
            sys.setns(namespace, sys.CLONE_NEWPID)


def start_container(bundle: str, config: dict[str, Any], stdio: tuple[int, int, int]) -> Started:
    """Run the bundle's process; `stdio` is not used for one with a terminal. Raises LaunchError, leaving no process."""
    cgroup = Cgroup(config["linux"]["cgroupsPath"])
    try:
        cgroup.create()
        apply_limits(cgroup, config["linux"].get("resources", {}))
    except OSError as error:
        raise LaunchError(f"unable to apply cgroup configuration: {error.strerror or error}") from error
    prepared = _prepare(bundle, config, cgroup)
    flags = sum(
        NAMESPACES[each["type"]]
        for each in config["linux"]["namespaces"]
        if not each.get("path") and each["type"] != "cgroup"
    )
    into = cgroup.open_unified()
    try:
        if prepared.is_mapped:
            return supervise_start(0, into, lambda sync: _go_between(prepared, flags, stdio, sync))
        prepared.join_pids()
        return supervise_start(flags, into, lambda sync: _child(prepared, stdio, sync))
    finally:
        message.close_all([prepared.root, *prepared.trees.values(), *prepared.namespaces.values()])
        if into is not None:
            os.close(into)


def supervise_start(flags: int, cgroup: int | None, child: Callable[[socket.socket], NoReturn]) -> Started:
    """Fork with `flags`, run `child` there, and wait until it has executed its program or said why it could not.

    A child that tells of a `pid` has made another, of this process, in its place.
    """
    ours, theirs = message.pair()
    try:
        pid = sys.clone(flags, cgroup)
    except OSError as error:
        raise LaunchError(f"unable to start container process: {error.strerror}") from error
    if pid == 0:
        ours.close()
        _run_child(child, theirs)
    theirs.close()
    terminal: int | None = None
    failure = ""
    with ours:
        while True:
            said, fds = message.receive(ours)
            if said is None:
                break
            if "error" in said:
                failure = said["error"]
            elif "pid" in said:
                os.waitpid(pid, 0)
                pid = said["pid"]
            else:
                (terminal,) = fds
    if failure:
        os.waitpid(pid, 0)
        raise LaunchError(failure)
    return Started(pid, terminal)


def _run_child(child: Callable[[socket.socket], NoReturn], sync: socket.socket) -> NoReturn:
    try:
        child(sync)
    except LaunchError as error:
        message.send(sync, {"error": str(error)})
    except BaseException as error:
        message.send(sync, {"error": f"{type(error).__name__}: {error}"})
    os._exit(1)


def _prepare(bundle: str, config: dict[str, Any], cgroup: Cgroup) -> _Prepared:
    linux = config["linux"]
    root_path = os.path.join(bundle, config["root"]["path"])
    try:
        namespaces = {
            each["type"]: os.open(each["path"], os.O_RDONLY | os.O_CLOEXEC)
            for each in linux["namespaces"]
            if each.get("path")
        }
        root = mounts.take_tree(root_path)
        seccomp = read_seccomp(bundle)
    except OSError as error:
        raise LaunchError(f"unable to start container process: {error.filename}: {error.strerror}") from error
    trees = mounts.take_sources(config["mounts"], namespaces.get("user"))
    # Root of another user namespace may not look into the runtime's directories.
    anchor = "/" if "user" in namespaces else root_path
    return _Prepared(config, seccomp, root, anchor, trees, namespaces, cgroup)


def read_seccomp(bundle: str) -> bytes:
    """The filter that the service compiled from the config's `linux.seccomp`; none if the container has none."""
    try:
        with open(os.path.join(bundle, "seccomp.bpf"), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _go_between(prepared: _Prepared, flags: int, stdio: tuple[int, int, int], sync: socket.socket) -> NoReturn:
    """Do what only root of the node may, enter the pod's user namespace, and fork the container there for our parent.

    So all its namespaces belong to that one, and its root can do there what root can in a container.
    """
    sys.prctl(sys.PR_SET_DUMPABLE, 0)
    prepared.cgroup.enter()
    set_oom_score(prepared.config["process"].get("oomScoreAdj"))
    prepared.join_pids()
    users.enter(prepared.namespaces["user"])
    pid = sys.clone(flags | sys.CLONE_PARENT)
    if pid == 0:
        _child(prepared, stdio, sync)
    message.send(sync, {"pid": pid})
    os._exit(0)


def _child(prepared: _Prepared, stdio: tuple[int, int, int], sync: socket.socket) -> NoReturn:
    config = prepared.config
    process = config["process"]
    sys.prctl(sys.PR_SET_DUMPABLE, 0)
    os.setsid()
    if not prepared.is_mapped:
        prepared.cgroup.enter()
        set_oom_score(process.get("oomScoreAdj"))
    for kind in ("network", "ipc", "uts"):
        if kind in prepared.namespaces:
            sys.setns(prepared.namespaces[kind], NAMESPACES[kind])
    if any(each["type"] == "cgroup" for each in config["linux"]["namespaces"]):
        sys.unshare(sys.CLONE_NEWCGROUP)
    if hostname := config.get("hostname"):
        socket.sethostname(hostname)
    terminal = _enter_root(prepared, sync)
    take_stdio((terminal, terminal, terminal) if terminal is not None else stdio, terminal is not None)
    sys.close_others(sync.fileno())
    run_process(process, prepared.seccomp)


def _enter_root(prepared: _Prepared, sync: socket.socket) -> int | None:
    """Build the container's mounts and make them all there is; returns its terminal, if it has one."""
    config, root = prepared.config, prepared.root
    linux = config["linux"]
    null = devices.open_null()
    here = os.open("/", os.O_PATH | os.O_CLOEXEC)
    sys.mount_setattr(here, propagation=sys.MS_SLAVE, recursive=True)
    sys.mount_setattr(root, propagation=sys.MS_PRIVATE, recursive=True)
    sys.move_mount(root, os.open(prepared.anchor, os.O_PATH | os.O_CLOEXEC))
    os.umask(0)
    made = mounts.attach_all(root, config["mounts"], prepared.trees)
    make_devices = devices.bind_devices if prepared.is_mapped else devices.make_devices
    make_devices(root, linux.get("devices", []))
    if "/dev" in made:
        devices.make_links(made["/dev"])
    terminal = _make_terminal(config, made, sync)
    if "/proc" in made:
        devices.write_sysctls(made["/proc"], linux.get("sysctl", {}))
    devices.mask(root, linux.get("maskedPaths", []), null)
    devices.make_readonly(root, linux.get("readonlyPaths", []))
    if not _exists_below(config["process"]["cwd"], made):
        _make_working_directory(root, config["process"]["cwd"])
    if config["root"].get("readonly"):
        sys.mount_setattr(root, set=sys.MOUNT_RDONLY)
    os.fchdir(root)
    sys.pivot_root_here()
    return terminal


def _make_working_directory(root: int, path: str) -> None:
    os.umask(0o022)
    try:
        os.close(make_directory(root, path))
    except OSError as error:
        raise LaunchError(f"mkdir {path}: {(error.strerror or '').lower()}") from error


def _exists_below(cwd: str, made: dict[str, int]) -> bool:
    """Whether `cwd` lies in a kernel file system, where nothing is to be made."""
    return any(cwd == mount or cwd.startswith(mount + "/") for mount in made)


def _make_terminal(config: dict[str, Any], made: dict[str, int], sync: socket.socket) -> int | None:
    if not config["process"].get("terminal"):
        return None
    master, terminal = devices.open_terminal(made["/dev/pts"])
    devices.bind_console(made["/dev"], terminal)
    user = config["process"]["user"]
    os.fchown(terminal, user["uid"], -1)
    message.send(sync, {}, [master])
    os.close(master)
    return terminal


def take_stdio(fds: tuple[int, int, int], is_terminal: bool) -> None:
    """Put the three on 0, 1 and 2; a terminal also becomes the controlling one."""
    copies = [os.dup(fd) for fd in fds]
    for number, fd in enumerate(copies):
        os.dup2(fd, number)
    if is_terminal:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
