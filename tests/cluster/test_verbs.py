"""What goes wrong with the verbs themselves: a cause and a next step each, never a traceback, nothing half made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.isolation import isolate_network
from tests.live import P8S, LiveCluster
from tests.processes import command_lines

from pybernetes.cluster import locks, pidfile
from pybernetes.cluster.profile import RUN, STATE, load

pytestmark = pytest.mark.live

SECONDS = 60.0


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate_network()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def p8s(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([P8S, *arguments], capture_output=True, text=True, timeout=SECONDS, **options)
    assert "Traceback" not in done.stderr.split("its log ends with:")[0], done.stderr
    return done


def refused(done: subprocess.CompletedProcess[str], cause: str, code: int = 1) -> None:
    """It failed in the form that every failure has."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert cause in done.stderr
    assert "\n  try: " in done.stderr


def remains(name: str) -> list[str]:
    """What is on this machine of the only cluster that this network has had."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout.splitlines()
    places = [STATE / name, RUN / name, RUN / f"{name}.lock", *Path("/sys/fs/cgroup").glob(f"*/pybernetes/{name}")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return [
        *(str(place) for place in places if place.exists()),
        *(line for line in mounts if f"/pybernetes/{name}/" in line),
        *(line for line in links if ": lo:" not in line),
        *(str(pid) for pid, line in command_lines().items() if f"/{name}/".encode() in line),
    ]


def test_damaged_profile() -> None:
    """Nothing can be done with it but to delete it."""
    state = STATE / "damaged"
    for content, why in (("{", "Expecting"), ('{"ports": 1}', "there is no index"), ("[]", "is damaged")):
        state.mkdir(parents=True, mode=0o700)
        (state / "profile.json").write_text(content)
        for verb in ("start", "stop", "restart", "status", "logs"):
            refused(p8s(verb, "--profile", "damaged"), why)
        assert p8s("delete", "--profile", "damaged").returncode == 0
        assert remains("damaged") == []


@pytest.mark.parametrize(
    ("store", "cause", "code"),
    [("etcd://127.0.0.1:1", "no etcd answers", 1), ("etcd://x", "names no etcd", 1), ("redis", "no store", 2)],
)
def test_store_that_cannot_be_used(store: str, cause: str, code: int) -> None:
    refused(p8s("start", "--profile", "nostore", "--store", store), cause, code)
    assert remains("nostore") == []


def test_state_that_cannot_be_written() -> None:
    """In mounts of its own, where /var/lib is read-only."""
    script = f"mount -t tmpfs -o ro none /var/lib && exec {P8S} start --profile readonly"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=SECONDS)
    refused(done, "/var/lib cannot be written")


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        ("pybernetes.cluster.network.ensure", "the supervisor has ended; its log ends with:"),
        ("pybernetes.cluster.processes.apiserver.main", "apiserver ends as soon as it is started"),
    ],
)
def test_process_that_fails_at_once(broken: str, cause: str) -> None:
    """The end of its log is shown, and nothing is left of a first start."""
    module, _, name = broken.rpartition(".")
    code = (
        f"import sys, {module} as module\n"
        f"def fail(profile): raise RuntimeError('broken on purpose')\n"
        f"module.{name} = fail\n"
        f"from pybernetes.cli.main import main; sys.exit(main(['start', '--profile', 'broken']))"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS)
    assert time.monotonic() - began < SECONDS / 2
    refused(done, cause)
    assert "RuntimeError: broken on purpose" in done.stderr
    assert remains("broken") == []


@pytest.mark.parametrize("step", ["pybernetes", "certificates"])
def test_interrupted_first_start_leaves_nothing(step: str) -> None:
    command = [P8S, "start", "--profile", "cut"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as start:
        assert start.stdout
        while step not in start.stdout.readline():
            assert start.poll() is None
        start.send_signal(signal.SIGINT)
        _, error = start.communicate(timeout=SECONDS)
    assert start.returncode == 130, error
    assert error in ("interrupted\n", "what was made so far is taken away again\ninterrupted\n")
    assert remains("cut") == []


def test_starts_at_the_same_moment(tmp_path: Path) -> None:
    """Two for one profile: one cluster. Two profiles: ranges of their own."""
    command = [P8S, "start", "--profile"]
    names = ("same", "same", "twin")
    running = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for name in names
    ]
    try:
        outputs = [process.communicate(timeout=SECONDS) for process in running]
        assert [process.returncode for process in running] == [0, 0, 0], outputs
        assert sum("waiting for another p8s command" in out for out, _ in outputs[:2]) == 1
        one, other = load("same").settings, load("twin").settings
        assert one.index != other.index
        assert one.pod_cidr != other.pod_cidr
        assert one.api_port != other.api_port
        for name in set(names):
            assert json.loads(p8s("status", "--profile", name, "-o", "json").stdout)["nodes"] == {name: True}
    finally:
        for name in set(names):
            p8s("delete", "--profile", name)
    assert not list(RUN.glob("*.lock"))


def test_stop_while_starting(cluster: LiveCluster) -> None:
    """The stop waits for the start and then stops; both are done."""
    cluster.p8s("stop")
    start = subprocess.Popen([P8S, "start", "--profile", cluster.name], env=cluster.environment, stdout=subprocess.PIPE)
    time.sleep(0.3)
    assert "stopped" in cluster.p8s("stop")
    start.communicate(timeout=SECONDS)
    assert start.returncode == 0
    assert not pidfile.read(cluster.profile.run / "supervisor.pid")


def test_lock_is_not_inherited_and_leaves_no_file() -> None:
    """A daemon that was forked under the lock does not hold it."""
    told: list[str] = []
    reader, writer = os.pipe()
    with locks.of_profile("locked"):
        if (child := os.fork()) == 0:
            os.read(reader, 1)
            os._exit(0)
    with locks.of_profile("locked", lambda: told.append("waited")):
        assert (RUN / "locked.lock").exists()
    os.write(writer, b"x")
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)
    assert told == []
    assert not (RUN / "locked.lock").exists()
