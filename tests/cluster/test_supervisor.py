"""The supervisor with real forks: who is restarted, who ends first, what is left."""

import json
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pybernetes.cluster import pidfile
from pybernetes.cluster.supervisor import END_PODS, Component, Supervisor

SECONDS = 10.0


def wait_until(reached: Callable[[], Any], seconds: float = SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)
    return value


class Running:
    """A supervisor in a process of its own, over components that note their ends in `journal`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.journal.touch()
        components = [Component(name, self._main(name), ends_pods=name == "agent") for name in ("api", "agent")]
        supervisor = Supervisor(folder, folder, components)
        self.process = multiprocessing.get_context("fork").Process(target=supervisor.run)
        self.process.start()

    def _main(self, name: str) -> Callable[[], None]:
        def main() -> None:
            def end(number: int, frame: object) -> None:
                with self.journal.open("a") as journal:
                    journal.write(f"{name} {signal.Signals(number).name}\n")
                raise SystemExit(0)

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
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(self.folder / "supervisor.sock"))
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
            return answer


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
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not list(running.folder.glob("*.pid"))
    assert not (running.folder / "supervisor.sock").exists()


def test_stop_has_the_pods_end_first(running: Running) -> None:
    assert running.ask(do="stop", grace=5) == {"halted": True, "pods_ended": True}
    running.process.join(SECONDS)
    assert running.journal.read_text().splitlines() == [f"agent {END_PODS.name}", "api SIGTERM"]


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

    supervisor = Supervisor(tmp_path, tmp_path, [Component("deaf", deaf)])
    process = multiprocessing.get_context("fork").Process(target=supervisor.run)
    process.start()
    wait_until((tmp_path / "deaf.ready").exists)
    pid = wait_until(lambda: pidfile.read(tmp_path / "deaf.pid"))
    process.terminate()
    process.join(SECONDS)
    assert process.exitcode == 0
    assert not Path(f"/proc/{pid}").exists()


def test_unknown_request_is_answered(running: Running) -> None:
    assert "unknown action" in running.ask(do="dance")["error"]
