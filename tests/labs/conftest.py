from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live import LiveCluster, live_cluster

HPA_EVERY_3_SECONDS = "controller-manager.horizontal-pod-autoscaler-sync-period=3s"
"""Of the default 15, most would be waiting."""


@pytest.fixture(scope="session")
def labs(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """The cluster of the labs; its one node is called as its profile."""
    folder = tmp_path_factory.mktemp("labs")
    with live_cluster("labs", mirror, folder, "--extra-config", HPA_EVERY_3_SECONDS) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def labs_of_three(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """The same with three nodes."""
    with live_cluster("trio", mirror, tmp_path_factory.mktemp("trio"), "--nodes", "3") as cluster:
        yield cluster
