"""Pods started and stopped while the agent and the runtime are killed half way; a longer run: P8S_PODS=1000."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import traces
from tests.live import Failed, LiveCluster, live_cluster

from pybernetes.cluster import pidfile

pytestmark = pytest.mark.live

PODS = int(os.environ.get("P8S_PODS", "30"))
NODES = 3
AT_ONCE = 50
POD = """---
apiVersion: v1
kind: Pod
metadata: {{name: pod-{number}, labels: {{app: churn}}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {{name: c, image: busybox, command: [sleep, "1000"], volumeMounts: [{{name: e, mountPath: /e}}]}}
  volumes: [{{name: e, emptyDir: {{medium: Memory}}}}]
"""


def kill(cluster: LiveCluster, component: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pidfile.read(cluster.profile.run / f"{component}.pid"), signal.SIGKILL)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def pod_cgroups(profile: str) -> list[str]:
    """Of every hierarchy; they may vanish under our feet."""
    tops = [top / "pybernetes" / profile for top in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir())]
    folders = [folder for top in tops for folder, _, _ in os.walk(top)]
    return [folder for folder in folders if re.fullmatch("pod[0-9a-f-]{36}", Path(folder).name)]


def left(cluster: LiveCluster) -> dict[str, list[str]]:
    """What the pods have left on the machine, in words."""
    state = cluster.profile.state
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found = {
        "mounts": [point for point in mounts if point.startswith(str(state)) and ("/pods/" in point or "/containers/" in point)],
        "containers": names(state / "runtime" / "containers"),
        "pods": names(state / "kubelet" / "pods"),
        "processes": [line for line in traces.processes(cluster.name) if "sleep 1000" in line or "p8s-monitor" in line],
        "cgroups": pod_cgroups(cluster.name),
        "links": [line for line in traces.lines("ip", "-o", "link") if "veth" in line],
    }  # fmt: skip
    return {name: items for name, items in found.items() if items}


@pytest.mark.timeout(180 + PODS)
def test_pods_leave_nothing_whoever_dies(cluster: LiveCluster) -> None:
    before = left(cluster)
    for start in range(0, PODS, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, PODS))
        cluster.kubectl("apply", "-f", "-", input="".join(POD.format(number=number) for number in numbers))
        kill(cluster, "agent")
        cluster.kubectl("wait", "--for=condition=Ready", "--timeout=100s", "pod", "-l", "app=churn")
        deleting = subprocess.Popen(
            ["kubectl", "delete", "pod", "-l", "app=churn", "--wait=false"], env=cluster.environment, stdout=subprocess.DEVNULL
        )  # fmt: skip
        kill(cluster, "runtime")
        kill(cluster, "agent")
        assert deleting.wait(60) == 0
        cluster.kubectl("wait", "--for=delete", "--timeout=100s", "pod", "-l", "app=churn")
    deadline = time.monotonic() + 30
    while left(cluster) != before:
        assert time.monotonic() < deadline, left(cluster)
        time.sleep(0.1)


@pytest.fixture
def spread(mirror: str, tmp_path: Path) -> Iterator[LiveCluster]:
    """Several nodes: one has addresses for 253 pods."""
    options = ("--nodes", str(NODES), "--extra-config", "kubelet.max-pods=250")
    with live_cluster("spread", mirror, tmp_path, *options) as cluster:
        yield cluster


def wait_ready(cluster: LiveCluster, count: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (ready := cluster.get("deployment", "many")["status"].get("readyReplicas")) != count:
        assert time.monotonic() < deadline, f"{ready} of {count} are ready"
        time.sleep(0.2)


@pytest.mark.timeout(180 + 2 * PODS)
def test_pods_run_on_whoever_dies(spread: LiveCluster) -> None:
    """All agents and the runtime are killed at once: every container is found again, by whoever comes after them."""
    pods = 2 * PODS
    spread.kubectl("create", "deployment", "many", "--image=busybox", f"--replicas={pods}", "--", "sleep", "1000")
    wait_ready(spread, pods, 60 + PODS)

    def running() -> dict[str, tuple[str, int, bool]]:
        found = {}
        for pod in spread.get("pods", "-l", "app=many")["items"]:
            (container,) = pod["status"]["containerStatuses"]
            found[pod["metadata"]["name"]] = (container["containerID"], container["restartCount"], container["ready"])
        return found

    before = running()
    assert len(before) == pods
    assert {(restarts, ready) for _, restarts, ready in before.values()} == {(0, True)}
    names = [path.stem for path in spread.profile.run.glob("*.pid") if path.stem.startswith(("agent", "runtime"))]
    assert len(names) == NODES + 1
    killed = {name: pidfile.read(spread.profile.run / f"{name}.pid") for name in names}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    on_nodes = {
        pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in spread.get("pods", "-l", "app=many")["items"]
    }
    assert len(on_nodes) == NODES
    deadline = time.monotonic() + 60
    for name in on_nodes.values():
        while True:
            try:
                spread.kubectl("exec", name, "--", "true")
                break
            except Failed:
                assert time.monotonic() < deadline
                time.sleep(0.2)
    # A change of each pod's is told by its new agent only once it has looked at what runs.
    spread.kubectl("label", "pods", "-l", "app=many", "seen=yes")
    spread.kubectl("scale", "deployment/many", f"--replicas={pods + 1}")
    wait_ready(spread, pods + 1, 60)
    after = running()
    assert {name: after.get(name) for name in before} == before
