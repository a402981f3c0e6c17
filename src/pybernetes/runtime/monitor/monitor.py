"""A container's monitor: it starts the container, carries its streams, and records its end."""

import contextlib
import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Iterator
from typing import Any

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.launcher import message
from pybernetes.runtime.logs.writer import LogWriter
from pybernetes.runtime.monitor import protocol
from pybernetes.runtime.monitor.bundle import host_uid
from pybernetes.runtime.monitor.child import Child, Orphan, hold, start_time
from pybernetes.runtime.monitor.clients import Client, listen
from pybernetes.runtime.monitor.executors import Executor, choose_executor
from pybernetes.runtime.monitor.protocol import PROCESS, TERMINAL
from pybernetes.runtime.monitor.records import read_record, write_record
from pybernetes.runtime.monitor.stdin import Stdin
from pybernetes.runtime.monitor.stdio import Stdio, hold_terminal, open_stdio, reopen_output

_START_ERROR = 128
_CHUNK = 65536


class Monitor:
    """The one container of this process."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._directory: str = request["directory"]
        self._stdin_once: bool = request["stdin_once"]
        self._wants_stdin: bool = request["stdin"]
        self._log_path: str = request["log_path"]
        self._again: bool = request.get("again", False)
        self._known_pid: int = request["pid"]
        self._log = LogWriter("")
        self._executor: Executor = choose_executor(request)
        self._cgroup = Cgroup(self._executor.config["linux"]["cgroupsPath"])
        self._output: dict[int, str] = {}
        self._copies = os.pipe2(os.O_CLOEXEC)
        self._stdin = Stdin(None)
        self._terminal: int | None = None
        self._clients: dict[int, Client] = {}
        self._process: Child | Orphan
        self._status: int | None = None

    def start(self) -> int:
        """Start the container and listen."""
        if self._again:
            self._executor.end_other()
        self._log = LogWriter(self._log_path)
        self._server = listen(self._directory)
        child = Child()
        process = self._executor.config["process"]
        stdio = (
            None
            if process.get("terminal")
            else open_stdio(self._directory, host_uid(self._executor.config), self._wants_stdin)
        )
        started = self._executor.start(stdio.container if stdio else (0, 1, 2))
        child.pid = started.pid
        self._process = child
        self._take_streams(stdio, started.terminal)
        return child.pid

    def launch(self) -> None:
        """Let the container's program begin, unless it has. Raises LaunchError."""
        self._executor.launch()

    def note_start(self) -> None:
        """Unless it is noted already."""
        if read_record(self._directory, protocol.STARTED) is None:
            pid, began = self._process.pid, 0
            with contextlib.suppress(OSError):  # it has ended, and somebody else has reaped it
                began = start_time(pid)
            record = {"pid": pid, "started_at": time.time_ns(), "start_time": began}
            write_record(self._directory, protocol.STARTED, record)

    def adopt(self, held: dict[str, int]) -> int:
        """Take over a container. What was kept of it tells how it ended, and what it wrote last, if it has ended.

        Of one of which nothing was kept it has to run still; what it had for input went with its first monitor.
        """
        record = read_record(self._directory, protocol.STARTED) or {}
        pid = record.get("pid", self._known_pid)
        descriptor = held.pop(PROCESS, -1)
        self._process = Orphan(pid, descriptor if descriptor >= 0 else hold(pid, record.get("start_time", 0)))
        self._server = listen(self._directory)
        with contextlib.suppress(OSError):
            self._log = LogWriter(self._log_path)
        if TERMINAL in held:
            self._take_streams(None, held[TERMINAL])
        elif not self._executor.config["process"].get("terminal"):
            self._output = {fd: stream for stream, fd in (held or reopen_output(self._directory)).items()}
        return self._process.pid

    @contextlib.contextmanager
    def held(self) -> Iterator[dict[str, int]]:
        """Descriptors by which the container's end and its last output are still known if this process is killed."""
        process = sys.pidfd_open(self._process.pid) if isinstance(self._process, Child) else os.dup(self._process.fd)
        streams = {stream: fd for fd, stream in self._output.items()}
        try:
            yield {PROCESS: process, **({TERMINAL: self._terminal} if self._terminal is not None else streams)}
        finally:
            os.close(process)

    def _take_streams(self, stdio: Stdio | None, terminal: int | None) -> None:
        if stdio is not None:
            self._output = {fd: stream for stream, fd in stdio.output.items()}
            self._stdin = Stdin(stdio.stdin)
            message.close_all(stdio.container)
        elif terminal is not None:
            self._terminal = terminal
            hold_terminal(terminal)
            self._output = {terminal: "stdout"}
            self._stdin = Stdin(os.dup(terminal) if self._wants_stdin else None)

    def record_failure(self, why: str) -> None:
        """The container's end before it began: code 128, reason StartError."""
        self._executor.clean_up()
        now = time.time_ns()
        record = {"exit_code": _START_ERROR, "reason": "StartError", "message": why, "finished_at": now}
        write_record(self._directory, protocol.EXITED, record)

    def run(self) -> None:
        """Carry streams and requests until the container has ended; then drain, record, clean up."""
        while self._status is None:
            self._turn()
        if not self._executor.owns_pids:
            self._cgroup.kill()
        finished = time.time_ns()
        for fd in self._output:
            while self._read_output(fd):
                continue
        self._log.finish()
        self._record_exit(finished)
        self._process.forget()
        for client in self._clients.values():
            client.finish(2.0)
        self._server.close()
        self._executor.clean_up()

    def _record_exit(self, finished_at: int) -> None:
        code = os.waitstatus_to_exitcode(self._status or 0)
        code = 128 - code if code < 0 else code
        reason = "Completed" if code == 0 else "OOMKilled" if self._cgroup.oom_kills() else "Error"
        record = {"exit_code": code, "reason": reason, "message": "", "finished_at": finished_at}
        write_record(self._directory, protocol.EXITED, record)

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(self._process.fd, select.POLLIN)
        poll.register(self._server, select.POLLIN)
        for fd in self._output:
            poll.register(fd, select.POLLIN)
        if self._stdin.fd is not None and self._stdin.queued:
            poll.register(self._stdin.fd, select.POLLOUT)
        for fd, client in self._clients.items():
            mask = select.POLLOUT if client.waiting else 0
            poll.register(fd, mask | (select.POLLIN if self._stdin.queued < _CHUNK else 0))
        for fd, _ in poll.poll():
            self._handle(fd)
        for fd in [fd for fd, client in self._clients.items() if client.closed]:
            self._drop(fd)

    def _handle(self, fd: int) -> None:
        if fd == self._process.fd:
            self._status = self._process.status()
        elif fd == self._server.fileno():
            connection, _ = self._server.accept()
            self._clients[connection.fileno()] = Client(connection)
        elif fd in self._output:
            self._read_output(fd)
        elif fd == self._stdin.fd:
            self._stdin.flush()
        else:
            self._serve(self._clients[fd])

    def _read_output(self, fd: int) -> bool:
        """Move one chunk to log and clients; False when there is none now."""
        stream = self._output[fd]
        try:
            if fd == self._terminal:
                self._log.write(stream, data := os.read(fd, _CHUNK - 1))
            else:
                # It leaves the pipe once it is in the log: who comes after a monitor that is killed misses nothing.
                count = sys.tee(fd, self._copies[1], _CHUNK - 1)
                self._log.write(stream, data := os.read(self._copies[0], count))
                os.read(fd, count)
        except OSError:
            return False
        letter = protocol.STDOUT if stream == "stdout" else protocol.STDERR
        for client in self._clients.values():
            if client.attached:
                client.send(letter + data)
        return bool(data)

    def _drop(self, fd: int) -> None:
        client = self._clients.pop(fd)
        client.connection.close()
        if client.attached and self._stdin_once:
            self._stdin.end()

    def _serve(self, client: Client) -> None:
        client.flush()
        try:
            data = client.connection.recv(protocol.MAX_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            client.closed = True
            return
        letter, payload = data[:1], data[1:]
        if letter == protocol.ATTACH:
            client.attached = True
        elif letter == protocol.STDIN:
            self._stdin.put(payload)
        elif letter == protocol.STDIN_END:
            if self._stdin_once:
                self._stdin.end()
        elif letter == protocol.RESIZE:
            self._resize(payload)
        else:
            client.send(protocol.ANSWER + self._obey(letter).encode())

    def _obey(self, letter: bytes) -> str:
        if letter == protocol.REOPEN:
            try:
                self._log.reopen()
            except OSError as error:
                return str(error)
        return ""

    def _resize(self, payload: bytes) -> None:
        if self._terminal is not None:
            rows, columns = protocol.SIZE.unpack(payload)
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
