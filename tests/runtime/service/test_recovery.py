"""`kill -9` of the runtime, its zygote or a monitor: containers, logs and exit codes are all found again."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.images import busybox
from tests.processes import command_lines, lives, parent_of

from pybernetes.cluster.endings import Outsider
from pybernetes.cri import socket as cri_socket
from pybernetes.cri import types as t
from pybernetes.cri.errors import UnavailableError
from pybernetes.cri.testsuite import Lab, remove_all
from pybernetes.runtime.images.service import Images

from .conftest import BRIDGE, IMAGE

KERNEL = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
MONITORS = int(os.environ.get("P8S_MONITORS", "25"))
COUNTING = "i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); sleep 0.01; done; exit 7"


class Process:
    """`python -m pybernetes.runtime` on the test's state, which can be killed and started again."""

    def __init__(self, directory: Path, cgroup: str, oci_runtime: str) -> None:
        self.socket = directory / "runtime.sock"
        self._command = [
            *(sys.executable, "-m", "pybernetes.runtime", f"--root={directory / 'runtime'}", f"--socket={self.socket}"),
            *(f"--cgroup={cgroup}", f"--oci-runtime={oci_runtime}", f"--bridge={BRIDGE.name}"),
            f"--streaming={directory / 'streaming.sock'}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def zygote(self) -> int:
        """The process id of the runtime's only child."""
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        return int("".join(path.read_text() for path in tasks).split()[0])


@contextmanager
def running(process: Process) -> Iterator[Process]:
    process.start()
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture
async def process(tmp_path: Path, cgroup: str, oci_runtime: str) -> AsyncIterator[Process]:
    images = Images(tmp_path / "runtime" / "images")
    await images.start()
    await images.load(busybox().write_archive(tmp_path / "busybox.tar", IMAGE))
    await images.close()
    with running(Process(tmp_path, cgroup, oci_runtime)) as made:
        yield made


@pytest.fixture
async def lab(process: Process, tmp_path: Path, cgroup: str) -> AsyncIterator[Lab]:
    async with cri_socket.connect(process.socket) as client:
        await reachable(client)
        yield Lab(client, IMAGE, tmp_path / "logs", cgroup)
        await reachable(client)
        await remove_all(client)


async def reachable(client: cri_socket.Client) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await client.version()
                return
            except UnavailableError:
                await asyncio.sleep(0.02)


async def restart(lab: Lab, process: Process) -> None:
    process.kill()
    process.start()
    assert isinstance(lab.runtime, cri_socket.Client)
    await reachable(lab.runtime)


async def until_logged(lab: Lab, container: str) -> None:
    """Until the container's first line is in its log."""
    path = Path((await lab.runtime.container_status(container)).log_path)
    while not path.read_bytes().endswith(b"\n"):
        await asyncio.sleep(0.01)


def logged(path: str) -> list[int]:
    return [int(line.split()[-1]) for line in Path(path).read_text().splitlines()]


async def test_a_killed_runtime_loses_nothing(lab: Lab, process: Process) -> None:
    pod = await lab.run_pod()
    container = await pod.start(lab.container("sh", "-c", COUNTING))
    before = await lab.runtime.container_status(container)
    address = (await lab.runtime.pod_sandbox_status(pod.id)).network
    for _ in range(3):
        await restart(lab, process)
    status = await lab.ended(container)
    assert (status.exit_code, status.reason, status.started_at) == (7, "Error", before.started_at)
    assert logged(status.log_path) == list(range(100))
    assert (await lab.runtime.pod_sandbox_status(pod.id)).network == address


async def test_an_end_while_the_runtime_is_down(lab: Lab, process: Process) -> None:
    pod = await lab.run_pod()
    script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"
    container = await pod.start(lab.container("sh", "-c", script))
    await until_logged(lab, container)
    monitor = monitor_of(container)
    process.kill()
    os.kill(child_of(monitor), signal.SIGTERM)
    while lives(monitor):
        await asyncio.sleep(0.01)
    process.start()
    assert isinstance(lab.runtime, cri_socket.Client)
    await reachable(lab.runtime)
    assert (await lab.runtime.container_status(container)).exit_code == 5


async def test_containers_can_be_used_after_a_restart(lab: Lab, process: Process) -> None:
    pod = await lab.run_pod()
    container = await pod.start(lab.container("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.01; done"))
    created = await lab.runtime.create_container(pod.id, lab.container("true"), pod.config)
    await restart(lab, process)
    answer = await lab.runtime.exec_sync(container, ["echo", "here"], 10)
    assert answer.stdout == b"here\n"
    await lab.runtime.stop_container(container, 10)
    assert (await lab.runtime.container_status(container)).exit_code == 3
    await lab.runtime.start_container(created)
    assert (await lab.ended(created)).exit_code == 0


async def test_a_killed_zygote_is_replaced(lab: Lab, process: Process) -> None:
    pod = await lab.run_pod()
    container = await pod.start(lab.container("sleep", "1000"))
    zygote = Outsider(process.zygote())
    os.kill(process.zygote(), signal.SIGKILL)
    # Until it has ended, the kernel takes requests for it that nobody will read: their callers are told so.
    assert zygote.wait(10)
    second = await pod.start(lab.container("true", log_path="second.log"))
    assert (await lab.ended(second)).exit_code == 0
    assert (await lab.runtime.container_status(container)).state == t.ContainerState.CONTAINER_RUNNING


async def test_a_killed_monitor_is_replaced(lab: Lab, process: Process) -> None:
    pod = await lab.run_pod()
    container = await pod.start(lab.container("sh", "-c", COUNTING))
    await until_logged(lab, container)
    os.kill(monitor_of(container), signal.SIGKILL)
    status = await lab.ended(container)
    assert logged(status.log_path) == list(range(100))
    assert (status.exit_code, status.reason) == (7, "Error")


async def test_a_monitor_killed_before_it_has_noted_the_end(lab: Lab, process: Process) -> None:
    """The runtime holds what still knows of it: the pipes, and (from Linux 6.15 on) a descriptor of the process."""
    pod = await lab.run_pod()
    container = await pod.start(lab.container("sh", "-c", "sleep 0.2; echo last words; exit 7"))
    monitor = monitor_of(container)
    os.kill(monitor, signal.SIGSTOP)
    child = child_of(monitor)
    while lives(child):
        await asyncio.sleep(0.01)
    os.kill(monitor, signal.SIGKILL)
    status = await lab.ended(container)
    assert Path(status.log_path).read_text().endswith(" stdout F last words\n")
    if KERNEL >= (6, 15):
        assert (status.exit_code, status.reason) == (7, "Error")


async def test_a_terminal_survives_its_monitor(lab: Lab, process: Process) -> None:
    pod = await lab.run_pod()
    script = "trap 'exit 9' HUP; i=0; while [ $i -lt 50 ]; do echo $i; i=$((i+1)); sleep 0.01; done; exit 7"
    container = await pod.start(lab.container("sh", "-c", script, tty=True))
    await until_logged(lab, container)
    os.kill(monitor_of(container), signal.SIGKILL)
    status = await lab.ended(container)
    assert logged(status.log_path) == list(range(50))
    assert status.exit_code == 7


@pytest.mark.timeout(120)
async def test_monitors_killed_at_any_moment_lose_nothing(lab: Lab, process: Process, oci_runtime: str) -> None:
    """From before they have started anything to after all has ended; an OCI runtime's program goes on, and takes its time."""
    pod, chance = await lab.run_pod(), random.Random(0)
    longest = 0.02 if oci_runtime == "builtin" else 0.3
    for number in range(MONITORS):
        config = lab.container("sh", "-c", f"echo line; exit {number + 1}", log_path=f"{number}.log")
        container = await lab.runtime.create_container(pod.id, config, pod.config)
        starting = asyncio.create_task(lab.runtime.start_container(container))
        deadline = asyncio.get_running_loop().time() + 5
        while (monitor := find_monitor(container)) == 0 and not starting.done():
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0)
        await asyncio.sleep(chance.uniform(0, longest))
        if monitor:
            with contextlib.suppress(ProcessLookupError):
                os.kill(monitor, signal.SIGKILL)
        await starting
        status = await lab.ended(container)
        if KERNEL >= (6, 15):
            assert (status.exit_code, status.reason) == (number + 1, "Error")
        assert Path(status.log_path).read_text().count(" stdout F line\n") == 1


def child_of(monitor: int) -> int:
    """The container's process."""
    return int(Path(f"/proc/{monitor}/task/{monitor}/children").read_text())


def monitor_of(container: str) -> int:
    monitor = find_monitor(container)
    assert monitor
    return monitor


def find_monitor(container: str) -> int:
    """0 if there is none. What a container's process is called before it is the container's own is not meant."""
    found = {
        pid
        for pid, title in command_lines().items()
        if title.startswith(b"p8s-monitor") and container.encode() in title
    }
    return next((pid for pid in found if parent_of(pid) not in found), 0)
