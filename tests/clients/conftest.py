"""One cluster for the clients of others, and a namespace of its own for each test."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator

import pytest
from tests.live import LiveCluster, live_cluster


@pytest.fixture(scope="session")
def live(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """The cluster of all tests here."""
    with live_cluster("clients", mirror, tmp_path_factory.mktemp("clients")) as started:
        yield started


@pytest.fixture
def cluster(live: LiveCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveCluster]:
    """The same, which clients in this process find as users' do: by KUBECONFIG."""
    monkeypatch.setenv("KUBECONFIG", str(live.kubeconfig))
    yield live
    gc.collect()  # what a test ignores of the clients' leavings is warned of here, not in another test


@pytest.fixture
def namespace(cluster: LiveCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new namespace, called as the test."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name).strip("-")
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
