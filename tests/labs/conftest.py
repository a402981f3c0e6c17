"""Clusters in which the labs are followed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live import LiveCluster, live_cluster

from pybernetes.cluster.profile import load

HPA_EVERY_3_SECONDS = "controller-manager.horizontal-pod-autoscaler-sync-period=3s"
"""Of the default 15, most would be waiting."""


@pytest.fixture(scope="session")
def labs(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """The cluster of the labs; its one node is called as its profile."""
    folder = tmp_path_factory.mktemp("labs")
    with live_cluster("labs", mirror, folder, "--extra-config", HPA_EVERY_3_SECONDS) as cluster:
        yield cluster


@pytest.fixture
def labs_that_die(mirror: str, tmp_path: Path) -> Iterator[LiveCluster]:
    """Two nodes, of which one is missed after 6 s, in place of 50."""
    patience = "--extra-config=controller-manager.node-monitor-grace-period=6s"
    rate = "--extra-config=controller-manager.node-eviction-rate=10"
    heartbeat = "--extra-config=kubelet.node-lease-duration-seconds=4"
    with live_cluster("mortal", mirror, tmp_path, "--nodes", "2", patience, rate, heartbeat) as cluster:
        yield cluster


@pytest.fixture
def labs_that_fill(mirror: str, tmp_path: Path) -> Iterator[LiveCluster]:
    """The kubelet's directory is a file system of 128 MiB; `p8s delete` unmounts what is below its state."""
    kubelet = load("full").state / "kubelet"
    kubelet.mkdir(parents=True, mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128M,mode=700", "full", kubelet], check=True)
    with live_cluster(
        "full", mirror, tmp_path, "--extra-config=kubelet.eviction-pressure-transition-period=5s"
    ) as cluster:
        yield cluster
    assert not kubelet.exists()


@pytest.fixture(scope="session")
def labs_of_three(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """The same with three nodes."""
    with live_cluster("trio", mirror, tmp_path_factory.mktemp("trio"), "--nodes", "3") as cluster:
        yield cluster
