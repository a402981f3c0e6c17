"""Bundles executed by an OCI runtime's program (runc, crun), whose containers this process adopts."""

import contextlib
import fcntl
import json
import os
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from typing import Any

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.launcher import message
from pybernetes.runtime.launcher.errors import LaunchError
from pybernetes.runtime.launcher.start import Started
from pybernetes.runtime.monitor.bundle import owns_pids, read_config


class External:
    """One bundle, and the program that runs it."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._bundle: str = request["directory"]
        self._id: str = request["id"]
        self._command = [request["runtime"], "--root", request["runtime_root"]]
        self._lock = os.open(os.path.join(self._bundle, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.config = read_config(self._bundle)
        self.owns_pids = owns_pids(self.config)
        self._created = False

    def start(self, stdio: tuple[int, int, int]) -> Started:
        sys.prctl(sys.PR_SET_CHILD_SUBREAPER, 1)
        self._wait_for_others()
        _check_mount_points(os.path.join(self._bundle, self.config["root"]["path"]))
        pid_file = os.path.join(self._bundle, "pid")
        arguments = ["create", "--bundle", self._bundle, "--pid-file", pid_file]
        terminal = None
        if self.config["process"].get("terminal"):
            with _ConsoleSocket(self._bundle) as console:
                self._run([*arguments, "--console-socket", console.path, self._id], stdio)
                terminal = console.receive()
        else:
            self._run([*arguments, self._id], stdio)
        self._created = True
        with open(pid_file) as file:
            return Started(int(file.read()), terminal)

    def launch(self) -> None:
        self._wait_for_others()
        if self._created or self._status() == "created":
            self._run(["start", self._id], (0, 1, 2))

    def end_other(self) -> None:
        """The program of one who was killed goes on: its container may come to be after it was looked for."""
        with contextlib.suppress(LaunchError):
            self._wait_for_others(meanwhile=self.clean_up)
        self.clean_up()

    def _wait_for_others(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Until no program that another has started is on its way: those hold the lock that they were given."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LaunchError("an earlier start of the container does not come to an end") from None
            meanwhile()
            time.sleep(0.01)

    def _status(self) -> str:
        argv = [*self._command, "state", self._id]
        done = subprocess.run(argv, capture_output=True, check=False, env=_ENVIRONMENT)
        try:
            return str(json.loads(done.stdout)["status"])
        except (ValueError, KeyError):
            return ""

    def clean_up(self) -> None:
        with contextlib.suppress(LaunchError):
            self._run(["delete", "--force", self._id], (0, 1, 2))

    def _run(self, arguments: list[str], stdio: tuple[int, int, int]) -> None:
        run_program(self._command, arguments, stdio, os.path.join(self._bundle, "runtime.log"), self._lock)


def start_exec(request: dict[str, Any], stdio: tuple[int, int, int]) -> Started:
    """The program's `exec`, detached: the process becomes a child of this one."""
    sys.prctl(sys.PR_SET_CHILD_SUBREAPER, 1)
    here = os.path.join(request["directory"], f"exec-{os.getpid()}")
    files = {"process": f"{here}.json", "pid": f"{here}.pid", "log": f"{here}.log"}
    with open(files["process"], "w") as file:
        json.dump(request["process"], file)
    command = [request["runtime"], "--root", request["runtime_root"]]
    arguments = ["exec", "--detach", "--process", files["process"], "--pid-file", files["pid"]]
    terminal = None
    try:
        if request["process"].get("terminal"):
            with _ConsoleSocket(request["directory"]) as console:
                run_program(command, [*arguments, "--console-socket", console.path, request["id"]], stdio, files["log"])
                terminal = console.receive()
        else:
            run_program(command, [*arguments, request["id"]], stdio, files["log"])
        with open(files["pid"]) as pid:
            return Started(int(pid.read()), terminal)
    finally:
        for path in files.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def run_program(
    command: list[str], arguments: list[str], stdio: tuple[int, int, int], log: str, lock: int | None = None
) -> None:
    """Run the program to its end, with `lock` held for as long. Raises LaunchError with the last error of its log."""
    argv = [*command, "--log", log, "--log-format", "json", *arguments]
    moves = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(stdio)]
    if lock is not None:
        moves.append((os.POSIX_SPAWN_DUP2, lock, _LOCK_NUMBER))
    pid = os.posix_spawn(argv[0], argv, _ENVIRONMENT, file_actions=moves, setsigdef=_DEFAULT_SIGNALS)
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise LaunchError(_last_error(log) or f"{argv[0]} {arguments[0]} failed with status {status}")


_DEFAULT_SIGNALS = (1, 2, 13, 15, 17)
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "XDG_RUNTIME_DIR": "/run"}
_PATIENCE_SECONDS = 10.0
_LOCK_NUMBER = 200
"""Of the program's descriptor of the lock, which means nothing to it."""


def _last_error(log: str) -> str:
    """The program's message, without the words that our own callers put before it."""
    try:
        with open(log) as file:
            entries = [json.loads(line) for line in file if line.startswith("{")]
    except (FileNotFoundError, ValueError):
        return ""
    messages = [entry["msg"] for entry in entries if entry.get("level") in ("error", "fatal")]
    prefixes = ("runc create failed: ", "unable to start container process: ", "exec failed: ")
    text = messages[-1] if messages else ""
    for prefix in prefixes:
        text = text.removeprefix(prefix)
    return text


def _check_mount_points(root: str) -> None:
    """Refuse an image whose /dev, /proc or /sys is a symlink, which older programs would follow."""
    for name in ("dev", "proc", "sys"):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISLNK(os.lstat(os.path.join(root, name)).st_mode):
                raise LaunchError(f'mount destination "/{name}" of the image is a symlink')


class _ConsoleSocket:
    """Where the program sends the terminal's end to; at a short path, since addresses of sockets are bounded."""

    def __init__(self, directory: str) -> None:
        self._handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        self._name = f"console-{os.getpid()}.sock"
        self.path = f"/proc/{os.getpid()}/fd/{self._handle}/{self._name}"
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(self.path)
        self._server.listen(1)
        self._server.settimeout(10)

    def __enter__(self) -> "_ConsoleSocket":
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.close()
        os.unlink(self.path)
        os.close(self._handle)

    def receive(self) -> int:
        connection, _ = self._server.accept()
        with connection:
            _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
        message.close_all(fds[1:])
        return fds[0]
