"""Pods started and stopped while the agent and the runtime are killed half way; a longer run: P8S_PODS=1000."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests import traces
from tests.live import LiveCluster

from pybernetes.cluster import pidfile

PODS = int(os.environ.get("P8S_PODS", "30"))
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
