"""What users get wrong: the cause is on the object within two seconds, in upstream's words."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.live import LiveCluster, live_cluster

from pybernetes.cluster.profile import STATE

pytestmark = pytest.mark.live

SECONDS = 2.0


def waiting_of(cluster: LiveCluster, pod: str) -> dict[str, Any]:
    statuses = cluster.get("pod", pod)["status"].get("containerStatuses", [])
    waiting: dict[str, Any] = statuses[0]["state"].get("waiting", {}) if statuses else {}
    return waiting


def events_of(cluster: LiveCluster, pod: str) -> dict[str, str]:
    """Reason -> messages, one in a line."""
    found: dict[str, str] = {}
    for event in cluster.get("events", f"--field-selector=involvedObject.name={pod}")["items"]:
        found[event["reason"]] = f"{found.get(event['reason'], '')}{event['message']}\n"
    return found


def cause(cluster: LiveCluster, pod: str, reasons: tuple[str, ...]) -> str:
    """The message of the waiting container, once it has one of the reasons; it must have it in time."""
    deadline = time.monotonic() + SECONDS
    while True:
        waiting = waiting_of(cluster, pod)
        if waiting.get("reason") in reasons:
            return str(waiting.get("message", ""))
        assert time.monotonic() < deadline, f"{pod} says {waiting}"
        time.sleep(0.05)


def test_image_that_does_not_exist(shared_cluster: LiveCluster) -> None:
    shared_cluster.kubectl("run", "no-image", "--image=nginx:1.18.30")
    message = cause(shared_cluster, "no-image", ("ErrImagePull", "ImagePullBackOff"))
    assert "nginx:1.18.30" in message
    assert "not found" in events_of(shared_cluster, "no-image")["Failed"]


def test_image_name_that_cannot_be_one(shared_cluster: LiveCluster) -> None:
    """kubectl refuses such a name by itself; a manifest brings it to the cluster."""
    pod = (
        "{apiVersion: v1, kind: Pod, metadata: {name: bad-name}, spec: {containers: [{name: a, image: nginx@latest}]}}"
    )
    shared_cluster.kubectl("apply", "-f", "-", input=pod)
    message = cause(shared_cluster, "bad-name", ("InvalidImageName",))
    assert "nginx@latest" in message
    assert "invalid reference format" in message


def test_command_that_does_not_exist(shared_cluster: LiveCluster) -> None:
    shared_cluster.kubectl("run", "no-command", "--image=busybox", "--command", "--", "/does/not/exist")
    deadline = time.monotonic() + SECONDS
    while not (found := last_end(shared_cluster, "no-command")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found["reason"] == "StartError"
    assert found["exitCode"] == 128
    assert "/does/not/exist" in found["message"]
    assert re.search(r"no such file or directory", found["message"])


def last_end(cluster: LiveCluster, pod: str) -> dict[str, Any]:
    """How the container ended, now or before its restart."""
    for status in cluster.get("pod", pod)["status"].get("containerStatuses", []):
        for state in (status["state"], status.get("lastState", {})):
            if "terminated" in state:
                ended: dict[str, Any] = state["terminated"]
                return ended
    return {}


def test_crash_loop(shared_cluster: LiveCluster) -> None:
    shared_cluster.kubectl("run", "crash", "--image=busybox", "--", "sh", "-c", "exit 3")
    message = cause(shared_cluster, "crash", ("CrashLoopBackOff",))
    assert message.startswith("back-off 10s restarting failed container=crash pod=crash_default(")
    assert last_end(shared_cluster, "crash")["exitCode"] == 3


def test_probe_of_a_wrong_port(shared_cluster: LiveCluster) -> None:
    pod = """
apiVersion: v1
kind: Pod
metadata: {name: wrong-port}
spec:
  containers:
    - name: web
      image: nginx
      readinessProbe: {httpGet: {port: 81}, periodSeconds: 1}
"""
    shared_cluster.kubectl("apply", "-f", "-", input=pod)
    deadline = time.monotonic() + SECONDS + 1.5
    while "Unhealthy" not in (found := events_of(shared_cluster, "wrong-port")):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert re.fullmatch(
        r'Readiness probe failed: Get "http://10\.\d+\.\d+\.\d+:81/": dial tcp 10\.\d+\.\d+\.\d+:81: '
        r"connect: connection refused",
        found["Unhealthy"].splitlines()[0],
    )


def test_pod_that_fits_nowhere(shared_cluster: LiveCluster) -> None:
    spec = '{"spec":{"containers":[{"name":"a","image":"nginx","resources":{"requests":{"cpu":"1000"}}}]}}'
    shared_cluster.kubectl("run", "huge", "--image=nginx", f"--overrides={spec}")
    deadline = time.monotonic() + SECONDS
    while "FailedScheduling" not in (found := events_of(shared_cluster, "huge")):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert found["FailedScheduling"].startswith("0/1 nodes are available: 1 Insufficient cpu.")


@pytest.mark.parametrize("kind", ["configMap", "secret"])
def test_volume_source_that_does_not_exist(shared_cluster: LiveCluster, kind: str) -> None:
    name = f"no-{kind.lower()}"
    field = "name" if kind == "configMap" else "secretName"
    pod = f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  containers: [{{name: a, image: nginx, volumeMounts: [{{name: v, mountPath: /v}}]}}]
  volumes: [{{name: v, {kind}: {{{field}: missing}}}}]
"""
    shared_cluster.kubectl("apply", "-f", "-", input=pod)
    deadline = time.monotonic() + SECONDS
    while "FailedMount" not in (found := events_of(shared_cluster, name)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert (
        found["FailedMount"].splitlines()[0]
        == f'MountVolume.SetUp failed for volume "v" : {kind.lower()} "missing" not found'
    )


def test_a_full_disk(mirror: str, tmp_path: Path) -> None:
    """The images' disk has no room for nginx: the pod says so, and runs when there is room again."""
    images = STATE / "full" / "runtime" / "images"
    images.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(images)], check=True)
    with live_cluster("full", mirror, tmp_path) as cluster:
        cluster.kubectl("run", "large", "--image=nginx")
        message = cause(cluster, "large", ("ErrImagePull", "ImagePullBackOff"))
        assert "no space left on device" in message
        assert "no space left on device" in events_of(cluster, "large")["Failed"]
        assert not list((images / "snapshots" / "staging").iterdir())
        subprocess.run(["mount", "-o", "remount,size=1g", str(images)], check=True)
        cluster.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/large")
