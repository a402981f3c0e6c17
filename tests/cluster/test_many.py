"""Twenty clusters that are started at the same moment; all of them with real nodes: P8S_REAL=20."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.live import P8S, LiveCluster

pytestmark = pytest.mark.live

COUNT = 20
REAL = int(os.environ.get("P8S_REAL", "5"))
SECONDS = 300


@pytest.fixture
def clusters(mirror: str, tmp_path: Path) -> Iterator[list[LiveCluster]]:
    """One kubeconfig for all, as a user has one."""
    made = [LiveCluster(f"many-{number:02}", mirror, tmp_path) for number in range(COUNT)]
    for cluster in made:
        cluster.environment["KUBECONFIG"] = str(tmp_path / "kubeconfig")
    try:
        yield made
    finally:
        with ThreadPoolExecutor(COUNT) as pool:
            list(pool.map(lambda cluster: cluster.p8s("delete"), [each for each in made if each.profile.exists()]))


@pytest.mark.timeout(2 * SECONDS)
def test_twenty_clusters_at_once_all_come_up(clusters: list[LiveCluster]) -> None:
    """Each with ports, addresses and a context of its own, at the first try."""
    mirror = f"docker.io={clusters[0].mirror}"
    commands = [
        [P8S, "start", "--profile", cluster.name, f"--wait={SECONDS}"]
        + (["--registry-mirror", mirror] if number < REAL else ["--simulated"])
        for number, cluster in enumerate(clusters)
    ]
    starts = [
        subprocess.Popen(command, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command, cluster in zip(commands, clusters, strict=True)
    ]
    said = [start.communicate(timeout=SECONDS)[0] for start in starts]
    assert [start.returncode for start in starts] == [0] * COUNT, "\n".join(said)
    settings = [cluster.profile.settings for cluster in clusters]
    assert len({one.index for one in settings}) == len({one.api_port for one in settings}) == COUNT
    assert max(one.index for one in settings) >= 12
    for number, cluster in enumerate(clusters):
        kubectl = ["kubectl", "--context", cluster.name]
        node = cluster.name if number < REAL else "sim-1"
        assert cluster.run([*kubectl, "get", "nodes", "-o", "name"]).split() == [f"node/{node}"]
        if number < REAL:
            web = [*kubectl, "run", "web", "--image=busybox", "--restart=Never", "--", "sleep", "1000"]
            cluster.run(web)
    for cluster in clusters[:REAL]:
        kubectl = ["kubectl", "--context", cluster.name]
        cluster.run([*kubectl, "wait", "--for=condition=Ready", "pod/web", "--timeout=100s"])
        name = ["exec", "web", "--", "nslookup", "kubernetes.default.svc.cluster.local"]
        assert cluster.profile.api_service_address in cluster.run([*kubectl, *name])
