"""`kill -9` of any process at any moment, under load; a longer run: P8S_KILLS=100."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest
from tests.cluster.load import Load
from tests.live import Failed, LiveCluster
from tests.processes import command_lines, parent_of

from pybernetes.cluster import pidfile

pytestmark = pytest.mark.live

KILLS = int(os.environ.get("P8S_KILLS", "12"))
SECONDS = 60.0
COMPONENTS = ("apiserver", "runtime", "agent", "manager")
COUNTER = "i=0; while [ ! -e /stop ]; do i=$((i+1)); echo line $i; sleep 0.02; done; sleep 3; exit 7"
"""Whose end ends what is executed in the container, too: it waits until whoever has told it to stop is out."""


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in tasks for child in path.read_text().split()]


def monitors(cluster: LiveCluster) -> list[int]:
    """The monitors of this cluster's containers.

    A container's process has its monitor's title until it is the container's own: who kills it ends the container.
    """
    found = []
    for container in (cluster.profile.state / "runtime" / "containers").iterdir():
        for pid, title in command_lines().items():
            if title.startswith(b"p8s-monitor") and container.name.encode() in title:
                found.append(pid)
    return [pid for pid in found if parent_of(pid) not in found]


def victims(cluster: LiveCluster) -> dict[str, list[int]]:
    """Every kind of process that may be killed."""
    found = {name: [pidfile.read(cluster.profile.run / f"{name}.pid")] for name in COMPONENTS}
    found["zygote"] = children(found["runtime"][0]) if found["runtime"][0] else []
    found["monitor"] = monitors(cluster)
    return found


@pytest.mark.timeout(240 + 5 * KILLS)
def test_kill_of_any_process_loses_nothing(cluster: LiveCluster) -> None:
    cluster.kubectl("run", "counter", "--image=busybox", "--restart=Never", "--", "sh", "-c", COUNTER)
    cluster.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "pod/counter")
    before = container_of(cluster, "counter")
    chance, killed = random.Random(KILLS), 0
    with Load(cluster) as load:
        while killed < KILLS:
            # The moment is the point: it is not waited for anything to be well again.
            time.sleep(chance.uniform(0.02, 0.8))
            pids = victims(cluster)[chance.choice((*COMPONENTS, "zygote", "monitor"))]
            pids = [pid for pid in pids if pid]
            if pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(pids), signal.SIGKILL)
                    killed += 1
    assert load.refused == []
    assert load.seen.faults == []
    kept = [item for item in cluster.get("configmaps")["items"] if item["metadata"]["name"].startswith("kept-")]
    assert {item["metadata"]["name"]: item["data"]["n"] for item in kept} == load.acknowledged
    wait_back(cluster)
    cluster.kubectl("exec", "counter", "--", "touch", "/stop")
    assert ended(cluster, "counter") == 7
    after = cluster.get("pod", "counter")["status"]["containerStatuses"][0]
    assert (container_of(cluster, "counter"), after["restartCount"]) == (before, 0)
    numbers = [int(line.split()[1]) for line in cluster.kubectl("logs", "counter").splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    for pod in load.pods:
        assert ended(cluster, pod) == int(pod.split("-")[1]) % 50 + 1, cluster.get("pod", pod)["status"]
        assert cluster.kubectl("logs", pod) == f"{pod}\n"


def wait_back(cluster: LiveCluster) -> None:
    """What was killed last may not listen again yet. What is executed meanwhile is refused, and never killed."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            cluster.kubectl("exec", "counter", "--", "true")
            return
        except Failed as failed:
            if "exit code" in str(failed) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def container_of(cluster: LiveCluster, pod: str) -> str:
    """Its id in the runtime."""
    told: str = cluster.get("pod", pod)["status"]["containerStatuses"][0]["containerID"]
    return told.rpartition("/")[2]


def ended(cluster: LiveCluster, pod: str) -> int:
    """The exit code of the pod's container, once it has ended."""
    deadline = time.monotonic() + SECONDS
    while cluster.get("pod", pod)["status"]["phase"] not in ("Succeeded", "Failed"):
        assert time.monotonic() < deadline, cluster.get("pod", pod)["status"]
        time.sleep(0.05)
    code: int = cluster.get("pod", pod)["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
    return code
