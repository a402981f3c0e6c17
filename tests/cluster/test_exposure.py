"""What a cluster shows of itself to whoever shares the machine: sockets, files, command lines, logs, reports."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import stat
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.live import LiveCluster
from tests.processes import command_lines

pytestmark = pytest.mark.live

SECRET = "sesame-0f3c9a71"
POD = f"""
apiVersion: v1
kind: Secret
metadata: {{name: hidden}}
stringData: {{password: {SECRET}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: reader}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: c
      image: busybox
      command: [sh, -c, "exec sleep 1000"]
      env: [{{name: PASSWORD, valueFrom: {{secretKeyRef: {{name: hidden, key: password}}}}}}]
      volumeMounts: [{{name: v, mountPath: /v}}]
  volumes: [{{name: v, secret: {{secretName: hidden}}}}]
"""


@pytest.fixture(scope="module")
def cluster(shared_cluster: LiveCluster) -> LiveCluster:
    shared_cluster.kubectl("apply", "-f", "-", input=POD)
    shared_cluster.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "pod/reader")
    assert shared_cluster.kubectl("exec", "reader", "--", "cat", "/v/password") == SECRET
    return shared_cluster


def forms() -> list[bytes]:
    return [SECRET.encode(), base64.b64encode(SECRET.encode()).rstrip(b"=")[:-1]]


def test_secrets_are_in_no_command_line_log_or_report(cluster: LiveCluster, tmp_path: Path) -> None:
    for line in command_lines().values():
        assert not any(form in line for form in forms()), line
    for path in cluster.profile.logs.rglob("*"):
        if path.is_file():
            assert not any(form in path.read_bytes() for form in forms()), path
    report = tmp_path / "report.tar.gz"
    cluster.p8s("logs", "--file", str(report))
    keys = [path.read_bytes().split(b"\n")[1] for path in cluster.profile.certificates.glob("*.key")]
    token = cluster.kubectl("create", "token", "default").strip().encode()
    with tarfile.open(report) as archive:
        members = {each.name: archive.extractfile(each).read() for each in archive if each.isfile()}  # type: ignore[union-attr]
    assert any(b"reader" in content for content in members.values())
    for name, content in members.items():
        for hidden in (*forms(), *keys, token, b"PRIVATE KEY"):
            assert hidden not in content, name


def test_files_and_sockets_are_roots_alone(cluster: LiveCluster) -> None:
    """Whoever cannot enter the directories of a cluster cannot get at what is below; what is made for pods is further in."""
    profile = cluster.profile
    for top in (profile.state, profile.run, profile.certificates, profile.logs, profile.state / "runtime", profile.state / "kubelet"):  # fmt: skip
        assert stat.S_IMODE(top.stat().st_mode) & 0o077 == 0, top
    for path in (*profile.certificates.glob("*.key"), *profile.state.glob("*.db*"), cluster.kubeconfig):
        assert stat.S_IMODE(path.stat().st_mode) & 0o177 == 0, path
    for path in profile.run.rglob("*"):
        if path.is_socket():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def listening() -> set[tuple[str, int]]:
    """Address and port of every TCP socket of this network that accepts connections."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            address, port = fields[1].split(":")
            found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


def test_nothing_listens_on_other_addresses(cluster: LiveCluster) -> None:
    """Only loopback and the cluster's own bridge: nothing of the network that the machine is in."""
    own = {"127.0.0.1", cluster.profile.node_address, "10.96.0.10"}
    assert {address for address, _ in listening()} <= own
    assert "::" not in Path("/proc/net/tcp6").read_text() or not [
        line for line in Path("/proc/net/tcp6").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]


def ask(url: str) -> int:
    context = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_strangers_get_health_and_version(cluster: LiveCluster) -> None:
    api = json.loads(cluster.kubectl("config", "view", "-o", "json"))["clusters"][0]["cluster"]["server"]
    kubelet = f"https://{cluster.profile.node_address}:10250"
    allowed = ("/healthz", "/livez", "/readyz", "/version")
    refused = ("/api", "/apis", "/api/v1/secrets", "/metrics", "/openapi/v2", "/logs", "/debug/pprof/", "/")
    assert [ask(api + path) for path in allowed] == [200] * len(allowed)
    assert {ask(api + path) for path in refused} == {403}
    for path in ("/pods", "/metrics", "/logs/", "/logs/../../etc/passwd", "/exec/default/reader/c?command=id", "/containerLogs/default/reader/c"):  # fmt: skip
        assert ask(kubelet + path) in (401, 403), path


def test_a_pod_reaches_nothing_by_its_sockets(cluster: LiveCluster) -> None:
    """From a pod: no socket of the runtime or supervisor, the API only by its token."""
    sockets = [str(path) for path in cluster.profile.run.rglob("*") if path.is_socket()]
    assert sockets
    script = f"ls {' '.join(sockets)} 2>/dev/null; ls /proc/1/root/var/lib/pybernetes 2>/dev/null; grep -c ^CapInh:.0*$ /proc/self/status"
    assert cluster.kubectl("exec", "reader", "--", "sh", "-c", script).split() == ["1"]
    assert os.path.exists(sockets[0])
