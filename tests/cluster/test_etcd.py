"""A cluster whose objects are in an etcd (Debian's etcd-server)."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live import LiveCluster, live_cluster
from tests.ports import free_port

from pybernetes.cluster import pidfile
from pybernetes.store.etcd import open_store

pytestmark = pytest.mark.live

SECONDS = 30.0
ENCRYPTION = """
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: one, secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]}
  - identity: {}
"""


async def value(store: str, key: bytes) -> bytes:
    """What is stored."""
    backend = await open_store(store)
    try:
        found, _ = await backend.get(key)
    finally:
        await backend.close()
    assert found is not None
    return found.value


@pytest.fixture
def etcd(mirror: str, tmp_path: Path) -> Iterator[str]:
    """A fresh etcd on the loopback of the test's own network; its address."""
    binary = shutil.which("etcd")
    assert binary, "etcd is missing: make test installs etcd-server"
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [
        binary, f"--data-dir={tmp_path / 'etcd'}", "--unsafe-no-fsync", "--log-level=error",
        f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
    ]  # fmt: skip
    with subprocess.Popen(command) as server:
        deadline = time.monotonic() + SECONDS
        while not listens(client):
            assert server.poll() is None, "etcd has ended"
            assert time.monotonic() < deadline, "etcd does not answer"
            time.sleep(0.02)
        yield client.removeprefix("http://")
        server.kill()


def listens(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_objects_are_in_etcd_and_stay_there(etcd: str, mirror: str, tmp_path: Path) -> None:
    """Killed or deleted, the API server finds them again; `p8s delete` says that they stay."""
    store = f"etcd://{etcd}"
    keys = tmp_path / "encryption.yaml"
    keys.write_text(ENCRYPTION)
    encryption = f"apiserver.encryption-provider-config={keys}"
    with live_cluster("etcd", mirror, tmp_path, "--store", store, "--extra-config", encryption) as cluster:
        cluster.kubectl("create", "secret", "generic", "s", "--from-literal=k=hidden")
        assert asyncio.run(value(store, b"/registry/secrets/default/s")).startswith(b"k8s:enc:aescbc:v1:one:")
        cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
        cluster.kubectl("rollout", "status", "deployment", "web", "--timeout=30s")
        before = containers(cluster)
        kill_apiserver(cluster)
        assert containers(cluster) == before
        assert cluster.kubectl("get", "secret", "s", "-o", "jsonpath={.data.k}") == "aGlkZGVu"
        cluster.kubectl("scale", "deployment", "web", "--replicas=1")
        assert not (cluster.profile.state / "store").exists()
        said = cluster.p8s("delete")
        assert f"its objects are still in {store}" in said
        assert f"etcdctl --endpoints={etcd} del --prefix /registry/" in said
        cluster.start("--store", store, "--extra-config", encryption)
        assert cluster.get("deployment", "web")["spec"]["replicas"] == 1


def containers(cluster: LiveCluster) -> dict[str, tuple[str, int]]:
    """Each pod's container and how often it was started again."""
    return {
        pod["metadata"]["name"]: (status["containerID"], status["restartCount"])
        for pod in cluster.get("pods")["items"]
        for status in pod["status"]["containerStatuses"]
    }


def kill_apiserver(cluster: LiveCluster) -> None:
    os.kill(pidfile.read(cluster.profile.run / "apiserver.pid"), signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    ask = ["kubectl", "get", "--raw=/readyz"]
    while subprocess.run(ask, env=cluster.environment, capture_output=True).returncode:
        assert time.monotonic() < deadline, "the API server does not come back"
        time.sleep(0.05)
