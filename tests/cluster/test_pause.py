"""A cluster that stands still and goes on; and what is not changed while it runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.live import P8S, LiveCluster

from pybernetes.cluster import control, pidfile

pytestmark = pytest.mark.live

COUNT = "trap exit TERM; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.02; done"


def p8s(cluster: LiveCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [P8S, arguments[0], "-p", cluster.name, *arguments[1:]]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=cluster.environment)


def used(cgroup: str) -> int:
    """Nanoseconds of CPU time of everything in the cgroup."""
    v1 = Path("/sys/fs/cgroup/cpuacct") / cgroup / "cpuacct.usage"
    if v1.exists():
        return int(v1.read_text())
    stat = (Path("/sys/fs/cgroup") / cgroup / "cpu.stat").read_text()
    return int(dict(line.split() for line in stat.splitlines())["usage_usec"]) * 1000


def lines(cluster: LiveCluster) -> list[str]:
    """What the container has written, by the file: nobody serves the API while the cluster is paused."""
    [log] = cluster.profile.logs.glob("pods/default_counter_*/counter/0.log")
    return [line.split(" ", 3)[3] for line in log.read_text().splitlines()]


def test_paused_cluster_uses_no_cpu_and_goes_on(shared_cluster: LiveCluster) -> None:
    cluster = shared_cluster
    cluster.kubectl("run", "counter", "--image=busybox", "--", "sh", "-c", COUNT)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/counter", "--timeout=30s")
    before = cluster.get("pod", "counter")["status"]["containerStatuses"][0]

    assert p8s(cluster, "pause").returncode == 0
    assert p8s(cluster, "pause").returncode == 0, "safe to repeat"
    written, time_used = lines(cluster), used(f"pybernetes/{cluster.name}")
    status = p8s(cluster, "status", "-o", "json")
    assert (status.returncode, json.loads(status.stdout)["status"]) == (3, "Paused")
    refused = subprocess.run(["kubectl", "get", "pods"], env=cluster.environment, capture_output=True, text=True)
    assert "was refused" in refused.stderr
    assert lines(cluster) == written
    assert used(f"pybernetes/{cluster.name}") == time_used

    assert p8s(cluster, "unpause").returncode == 0
    after = cluster.get("pod", "counter")["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
    deadline = time.monotonic() + 30
    while len(lines(cluster)) == len(written):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert lines(cluster) == [f"line {number + 1}" for number in range(len(lines(cluster)))]


def test_paused_pods_end_gracefully_when_the_cluster_is_stopped(shared_cluster: LiveCluster) -> None:
    cluster = shared_cluster
    script = "trap 'echo bye; exit 0' TERM; echo up; while true; do sleep 0.05; done"
    cluster.kubectl("run", "polite", "--image=busybox", "--", "sh", "-c", script)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/polite", "--timeout=30s")
    p8s(cluster, "pause")
    assert "stopped" in p8s(cluster, "stop").stdout
    [log] = cluster.profile.logs.glob("pods/default_polite_*/polite/0.log")
    assert log.read_text().splitlines()[-1].endswith(" bye")
    done = p8s(cluster, "unpause")
    assert (done.returncode, "is stopped, not paused" in done.stderr) == (3, True)
    cluster.p8s("start")


def test_a_cluster_without_its_supervisor_is_told_and_stopped_gracefully(shared_cluster: LiveCluster) -> None:
    """Its components live on, so that it is not stopped; and its pods are not forgotten when it is."""
    cluster = shared_cluster
    script = "trap 'echo bye; exit 0' TERM; echo up; while true; do sleep 0.05; done"
    cluster.kubectl("run", "orphan", "--image=busybox", "--", "sh", "-c", script)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/orphan", "--timeout=30s")
    os.kill(pidfile.read(cluster.profile.run / "supervisor.pid"), signal.SIGKILL)
    assert pidfile.wait_ended(cluster.profile.run / "supervisor.pid", 10)
    status = p8s(cluster, "status")
    assert (status.returncode, "has lost its supervisor" in status.stdout) == (3, True)
    doctor = p8s(cluster, "doctor").stdout
    assert "held by what runs on of a cluster that has lost its supervisor\n  try: p8s start --profile shared" in doctor
    for command in (["pause"], ["docker-env"]):
        done = p8s(cluster, *command)
        assert (done.returncode, "try: p8s start --profile shared" in done.stderr) == (3, True)
    assert "'shared' stopped" in p8s(cluster, "stop").stdout
    [log] = cluster.profile.logs.glob("pods/default_orphan_*/orphan/0.log")
    assert log.read_text().splitlines()[-1].endswith(" bye")
    assert control.leftovers(cluster.profile) == []
    for command in (["service", "list"], ["why"], ["docker-env"]):
        done = p8s(cluster, *command)
        assert (done.returncode, "cluster 'shared' is stopped" in done.stderr) == (3, True), done
    cluster.p8s("start")


def test_what_a_running_cluster_was_told_is_not_passed_over(shared_cluster: LiveCluster) -> None:
    for flags, step in (
        (["--oci-runtime", "runc"], "p8s restart --profile shared --oci-runtime runc"),
        (["--nodes", "2"], "p8s node add --count 1 --profile shared"),
    ):
        done = p8s(shared_cluster, "start", *flags)
        assert done.returncode == 1
        assert step in done.stderr
    same = json.loads(p8s(shared_cluster, "start", "--nodes", "1", "--store", "sqlite", "-o", "json").stdout)
    assert (same["alreadyRunning"], same["nodes"], same["context"]) == (True, ["shared"], "shared")
    assert "nothing would be changed" in p8s(shared_cluster, "start", "--dry-run").stdout
