"""The supervisor with real forks: who is restarted, who ends first, what is left."""

import json
import multiprocessing
import os
import selectors
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.processes import lives

from pybernetes.cluster import pidfile
from pybernetes.cluster.component import END_PODS, Component
from pybernetes.cluster.listening import Listener
from pybernetes.cluster.supervisor import Supervisor

SECONDS = 10.0


def wait_until(reached: Callable[[], Any], seconds: float = SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)
    return value


def ask_at(folder: Path, **request: Any) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(str(folder / "supervisor.sock"))
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        return answer


class Running:
    """A supervisor in a process of its own, over components that note their ends in `journal`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.journal.touch()
        self.want("api", "agent")
        supervisor = Supervisor(folder, folder, self._components)
        self.process = multiprocessing.get_context("fork").Process(target=supervisor.run)
        self.process.start()

    def want(self, *names: str) -> None:
        """Which components there are to be, from the next time that the supervisor asks."""
        (self.folder / "wanted").write_text(" ".join(names))

    def _components(self) -> list[Component]:
        names = (self.folder / "wanted").read_text().split()
        return [
            Component(name, self._main(name), ends_pods=name.startswith("agent"), reloads=name == "api")
            for name in names
        ]

    def _main(self, name: str) -> Callable[[], None]:
        def main() -> None:
            def note(number: int, frame: object) -> None:
                with self.journal.open("a") as journal:
                    journal.write(f"{name} {signal.Signals(number).name}\n")

            def end(number: int, frame: object) -> None:
                note(number, frame)
                raise SystemExit(0)

            signal.signal(signal.SIGHUP, note)
            signal.signal(signal.SIGTERM, end)
            signal.signal(END_PODS, end)
            (self.folder / f"{name}.ready").touch()
            while True:
                signal.pause()

        return main

    def ready(self) -> None:
        wait_until(lambda: all((self.folder / f"{name}.ready").exists() for name in ("api", "agent")))

    def pid(self, name: str) -> int:
        pid: int = wait_until(lambda: pidfile.read(self.folder / f"{name}.pid"))
        return pid

    def ask(self, **request: Any) -> dict[str, Any]:
        return ask_at(self.folder, **request)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    running.ready()
    yield running
    if running.process.is_alive():
        running.process.terminate()
    running.process.join(SECONDS)


def test_killed_component_is_started_again(running: Running) -> None:
    first = running.pid("api")
    os.kill(first, signal.SIGKILL)
    second = wait_until(lambda: (pid := pidfile.read(running.folder / "api.pid")) != first and pid)
    assert second != first
    states = {state["name"]: state for state in running.ask(do="status")["components"]}
    assert states["api"]["restarts"] == 1
    assert states["api"]["pid"] == second
    assert states["agent"]["restarts"] == 0


def test_component_that_keeps_dying_is_started_more_and_more_slowly(running: Running) -> None:
    for _ in range(4):
        os.kill(running.pid("api"), signal.SIGKILL)
        wait_until(lambda: not pidfile.read(running.folder / "api.pid"))
    began = time.monotonic()
    running.pid("api")
    assert time.monotonic() - began > 0.2
    assert running.ask(do="status")["components"][0]["restarts"] == 4


def test_halt_ends_components_last_started_first(running: Running) -> None:
    pids = [running.pid("api"), running.pid("agent")]
    assert running.ask(do="halt") == {"halted": True}
    running.process.join(SECONDS)
    assert running.journal.read_text().splitlines() == ["agent SIGTERM", "api SIGTERM"]
    assert not any(map(lives, pids))
    assert not list(running.folder.glob("*.pid"))
    assert not (running.folder / "supervisor.sock").exists()


def test_components_come_and_go_under_a_running_supervisor(running: Running) -> None:
    api, agent = running.pid("api"), running.pid("agent")
    running.want("api", "agent", "agent-m02")
    assert running.ask(do="update") == {"updated": True}
    second = running.pid("agent-m02")
    wait_until((running.folder / "agent-m02.ready").exists)
    wait_until(lambda: running.journal.read_text() == "api SIGHUP\n")
    running.want("api", "agent-m02")
    running.ask(do="update", grace=5)
    assert not lives(agent)
    assert running.journal.read_text().splitlines()[1] == f"agent {END_PODS.name}"
    states = {state["name"]: state["pid"] for state in running.ask(do="status")["components"]}
    assert states == {"api": api, "agent-m02": second}
    assert not (running.folder / "agent.pid").exists()


def test_stop_has_the_pods_end_first(running: Running) -> None:
    assert running.ask(do="stop", grace=5) == {"halted": True, "pods_ended": True}
    running.process.join(SECONDS)
    assert running.journal.read_text().splitlines() == [f"agent {END_PODS.name}", "api SIGTERM"]


def test_who_hangs_up_ends_the_patience_with_pods_and_not_the_stop(running: Running) -> None:
    agent = running.pid("agent")
    os.kill(agent, signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(running.folder / "supervisor.sock"))
        connection.sendall(json.dumps({"do": "stop", "grace": 600}).encode() + b"\n")
        # The sign for everybody else that this supervisor is about to end.
        wait_until(lambda: not (running.folder / "supervisor.sock").exists())
        assert pidfile.read(running.folder / "supervisor.pid")
    os.kill(agent, signal.SIGCONT)
    running.process.join(SECONDS)
    assert not running.process.is_alive()
    assert running.journal.read_text().splitlines()[-1] == "api SIGTERM"


def test_sigterm_halts(running: Running) -> None:
    running.process.terminate()
    running.process.join(SECONDS)
    assert running.process.exitcode == 0
    assert "api SIGTERM" in running.journal.read_text()


def test_component_stuck_in_its_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybernetes.cluster.supervisor.COMPONENT_GRACE", 0.2)

    def deaf() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (tmp_path / "deaf.ready").touch()
        while True:
            signal.pause()

    supervisor = Supervisor(tmp_path, tmp_path, lambda: [Component("deaf", deaf)])
    process = multiprocessing.get_context("fork").Process(target=supervisor.run)
    process.start()
    wait_until((tmp_path / "deaf.ready").exists)
    pid = wait_until(lambda: pidfile.read(tmp_path / "deaf.pid"))
    process.terminate()
    process.join(SECONDS)
    assert process.exitcode == 0
    assert not lives(pid)


class Echo:
    """A supervisor over one component that is started by connections: it answers each with its pid until told `end`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "echo.sock"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self._listens = (Listener(self.path), Listener(("127.0.0.1", self.port)))

        def main() -> None:
            with selectors.DefaultSelector() as selector:
                for held in self._listens:
                    assert held.bound is not None
                    selector.register(held.bound, selectors.EVENT_READ, held.bound)
                while True:
                    for key, _ in selector.select():
                        connection, _ = key.data.accept()
                        with connection:
                            word = connection.recv(16)
                            connection.sendall(str(os.getpid()).encode())
                        if word != b"stay":
                            raise SystemExit(0 if word == b"end" else 3)

        supervisor = Supervisor(folder, folder, lambda: [Component("echo", main, listens=self._listens)])
        self.process = multiprocessing.get_context("fork").Process(target=supervisor.run, daemon=True)
        self.process.start()
        wait_until(self._answers)

    def _answers(self) -> bool:
        """It does once it listens at all addresses."""
        try:
            return bool(ask_at(self.folder, do="status"))
        except OSError:
            return False

    def say(self, word: bytes, address: Any = None) -> int:
        with socket.socket(socket.AF_INET if address else socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(address or str(self.path))
            connection.sendall(word)
            return int(connection.recv(16))

    def ended(self, pid: int) -> None:
        wait_until(lambda: not lives(pid))


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Echo]:
    echo = Echo(tmp_path)
    yield echo
    if echo.process.is_alive():
        echo.process.terminate()
    echo.process.join(SECONDS)


def test_component_that_listens_starts_with_the_first_connection(echo: Echo) -> None:
    assert not pidfile.read(echo.folder / "echo.pid")
    assert stat.S_IMODE(echo.path.stat().st_mode) == 0o600
    first = echo.say(b"stay")
    assert echo.say(b"stay", ("127.0.0.1", echo.port)) == first


def test_socket_of_a_user(tmp_path: Path) -> None:
    held = Listener(tmp_path / "user.sock", owner=65534)
    held.open()
    found = held.address.stat() if isinstance(held.address, Path) else None
    assert found is not None
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (65534, 0o600)
    held.close()
    assert not list(tmp_path.iterdir())


def test_component_that_ended_idle_starts_again_with_the_next_connection(echo: Echo) -> None:
    first = echo.say(b"end")
    echo.ended(first)
    assert echo.say(b"stay", ("127.0.0.1", echo.port)) != first


def test_connection_made_while_the_component_ends_is_not_lost(echo: Echo) -> None:
    pids = [echo.say(b"end") for _ in range(20)]
    assert len(set(pids)) == 20


def test_component_that_failed_serves_the_next_connection_after_a_pause(echo: Echo) -> None:
    first = echo.say(b"fail")
    echo.ended(first)
    assert echo.say(b"stay") != first


def test_halt_leaves_no_socket(echo: Echo) -> None:
    pid = echo.say(b"stay")
    echo.process.terminate()
    echo.process.join(SECONDS)
    assert echo.process.exitcode == 0
    echo.ended(pid)
    assert not echo.path.exists()
    with pytest.raises(ConnectionRefusedError):
        echo.say(b"stay", ("127.0.0.1", echo.port))


def test_address_that_is_taken_costs_only_its_component(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        held = Listener(("127.0.0.1", int(taken.getsockname()[1])))
        started = tmp_path / "other.ready"
        components = [Component("echo", signal.pause, listens=(held,)), Component("other", started.touch)]
        process = multiprocessing.get_context("fork").Process(
            target=Supervisor(tmp_path, tmp_path, lambda: components).run
        )
        process.start()
        wait_until(started.exists)
        process.terminate()
        process.join(SECONDS)
    assert process.exitcode == 0


def test_unknown_request_is_answered(running: Running) -> None:
    assert "unknown action" in running.ask(do="dance")["error"]
