"""p8s start --foreground: it ends with the cluster, and the cluster with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

SECONDS = 60.0
NAME = f"fore-{os.getpid()}"
ORPHANS = """
import os, sys
from pybernetes.cli.main import main
# As the first process of a container: what nobody else waits for is left to it.
if os.fork() == 0:
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "0.1"])
    os._exit(0)
os.wait()
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def own_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def p8s(*arguments: str) -> int:
    command = [sys.executable, "-m", "pybernetes.cli.main", *arguments, "-p", NAME]
    return subprocess.run(command, check=False, capture_output=True, timeout=SECONDS).returncode


@contextmanager
def foreground(*prefix: str) -> Iterator[subprocess.Popen[str]]:
    """A start in the foreground, once it has said where kubectl finds the cluster."""
    command = [*prefix, "start", "--simulated", "--foreground", "-p", NAME]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "kubectl uses context" in line:
                    break
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            p8s("delete")


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


PLAIN = (sys.executable, "-m", "pybernetes.cli.main")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_cluster_ends_with_it(number: signal.Signals) -> None:
    with foreground(*PLAIN) as process:
        assert p8s("status") == 0
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
        assert p8s("status") == 3


def test_it_ends_with_the_cluster_and_goes_on_through_a_restart() -> None:
    with foreground(*PLAIN) as process:
        assert p8s("restart") == 0
        assert process.poll() is None
        assert p8s("stop") == 0
        assert process.wait(SECONDS) == 0


def test_as_the_first_process_of_a_container_it_leaves_no_zombies() -> None:
    inner = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    with foreground(*inner, sys.executable, "-c", ORPHANS) as process:
        first = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        children = Path(f"/proc/{first}/task/{first}/children")
        wait_until(lambda: all(not is_zombie(pid) for pid in children.read_text().split()))
        os.kill(int(first), signal.SIGTERM)
        assert process.wait(SECONDS) == 0


def is_zombie(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
